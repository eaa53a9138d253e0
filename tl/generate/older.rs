//! The tables of earlier layers: what they have otherwise, and since when there is what they have not.

use crate::parse::Line;
use crate::tables::Schema;
use std::fmt::Write;

/// `OLDEST`, `OLDER` and `SINCE`, the last two sorted by id.
pub fn older(schema: &Schema, layer: i32, sections: &[(i32, Vec<Line>)], since: &str) -> Result<String, String> {
    let oldest = sections.iter().map(|(layer, _)| *layer).min().ok_or("tl/older.tl: no `// LAYER N` line")?;
    if let Some((late, _)) = sections.iter().find(|(older, _)| *older >= layer) {
        return Err(format!("tl/older.tl: layer {late} is not older than {layer}"));
    }
    let mut text =
        format!("/// The oldest layer that `tl/older.tl` describes.\npub const OLDEST_LAYER: i32 = {oldest};\n");
    let mut lines: Vec<(i32, &Line)> =
        sections.iter().flat_map(|(layer, lines)| lines.iter().map(|line| (*layer, line))).collect();
    lines.sort_by_key(|(_, line)| line.id);
    let _ = writeln!(text, "pub(super) static OLDER: [Older; {}] = [", lines.len());
    for (until, line) in lines {
        if schema.lines.iter().any(|now| now.id == line.id) {
            return Err(format!("tl/older.tl: {}#{:08x} is in tl/api.tl too", line.name, line.id));
        }
        let _ = write!(text, "Older {{ until: {until}, definition: ");
        schema.definition(line, false, &mut text);
        text.push_str(" },\n");
    }
    let mut rows = Vec::new();
    for row in since.lines().skip(1) {
        let (name, layer) = row.split_once('\t').ok_or("tl/since.tsv: a line has not two columns")?;
        let layer: i32 = layer.parse().map_err(|_| format!("tl/since.tsv: {name}: `{layer}` is not a layer"))?;
        let line = schema.lines.iter().find(|line| line.name == name);
        let line = line.ok_or_else(|| format!("tl/since.tsv: nothing is called {name}"))?;
        rows.push((line.id, layer));
    }
    rows.sort_unstable();
    let _ = writeln!(text, "];\npub(super) static SINCE: [(u32, i32); {}] = {rows:?};", rows.len());
    Ok(text)
}

//! Writes the TL layer's tables and borrowed types from `tl/` to `OUT_DIR`.

#[path = "src/tl/hash.rs"]
mod hash;
#[path = "tl/generate/names.rs"]
mod names;
#[path = "tl/generate/older.rs"]
mod older;
#[path = "src/tl/parse.rs"]
#[allow(dead_code)]
mod parse;
#[path = "tl/generate/tables.rs"]
mod tables;
#[path = "tl/generate/types.rs"]
mod types;

use std::path::Path;
use std::{env, fs};

fn main() {
    // The crate in `fuzz/` has these layers alone, and this script for its own.
    let root = Path::new(if Path::new("tl").is_dir() { "" } else { ".." });
    for input in ["build.rs", "tl", "src/tl/parse.rs", "src/tl/hash.rs"] {
        println!("cargo::rerun-if-changed={}", root.join(input).display());
    }
    if let Err(error) = generate(root) {
        println!("cargo::error={error}");
    }
}

fn generate(root: &Path) -> Result<(), String> {
    let read = |name: &str| fs::read_to_string(root.join(name)).map_err(|error| format!("{name}: {error}"));
    let schema = |name: &str| parse::schema(&read(name)?).map_err(|error| format!("{name}: {error}"));
    let api = read("tl/api.tl")?;
    let layer = parse::layer(&api).ok_or("tl/api.tl: no `// LAYER N` line")?;
    let api = schema("tl/api.tl")?;
    let mtproto = schema("tl/mtproto.tl")?;
    let older = parse::sections(&read("tl/older.tl")?).map_err(|error| format!("tl/older.tl: {error}"))?;
    let named = types::named(&read("tl/named.txt")?, &api, &mtproto)?;

    let lines: Vec<&parse::Line> = api.iter().chain(&mtproto).collect();
    let schema = tables::Schema::new(&lines, &older)?;
    let mut tables = schema.tables(layer, &named);
    tables.push_str(&older::older(&schema, layer, &older, &read("tl/since.tsv")?)?);
    tables.push_str(&tables::methods(&lines, &read("tl/methods.tsv")?, &read("tl/errors.tsv")?)?);
    let types = types::types(&schema, &named)?;

    let out = env::var_os("OUT_DIR").ok_or("cargo sets no OUT_DIR")?;
    for (name, text) in [("tl_tables.rs", tables), ("tl_types.rs", types)] {
        fs::write(Path::new(&out).join(name), text).map_err(|error| format!("{name}: {error}"))?;
    }
    Ok(())
}

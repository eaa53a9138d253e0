//! The text of a schema: parsed, printed in one normal form, and the CRC32 that names each line.
//!
//! `build.rs`, the tool in `tl/schema.rs` and the tests include this file by path, so it uses nothing but std.

use std::fmt::{self, Display, Write};

/// One line of a schema.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    pub name: String,
    pub id: u32,
    /// The type variables in braces: `{X:Type}` is `["X"]`.
    pub variables: Vec<String>,
    pub params: Vec<Param>,
    pub result: TypeExpr,
    /// Stands below `---functions---`.
    pub function: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    pub name: String,
    /// `flags2.7?`: the name of the flags field and the bit.
    pub flag: Option<(String, u8)>,
    pub ty: TypeExpr,
}

#[derive(Clone, Debug, PartialEq)]
pub enum TypeExpr {
    /// `#`
    Flags,
    /// `!X`, any function, and `X`, what it returns.
    Variable(String),
    /// `int`, `Peer`, `future_salt`
    Name(String),
    /// `Vector<int>`, or `vector<int>` when bare.
    Vector { bare: bool, item: Box<TypeExpr> },
}

/// The line that no parser of parameters can read, and that every schema has.
pub const VECTOR_LINE: &str = "vector#1cb5c415 {t:Type} # [ t ] = Vector t;";

/// Reads the text of a schema. Comments, lines without an id (`int ? = Int;`) and the line of `vector` are left out.
pub fn schema(text: &str) -> Result<Vec<Line>, String> {
    let mut function = false;
    let mut lines = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.split("//").next().unwrap_or_default().trim();
        match line {
            "" => {}
            "---functions---" => function = true,
            "---types---" => function = false,
            VECTOR_LINE => {}
            _ => {
                let parsed =
                    definition(line, function).map_err(|error| format!("line {}: {error}: {line}", number + 1))?;
                lines.extend(parsed);
            }
        }
    }
    Ok(lines)
}

/// The layer in a `// LAYER 230` comment.
pub fn layer(text: &str) -> Option<i32> {
    text.lines().find_map(|line| line.strip_prefix("// LAYER ")?.trim().parse().ok())
}

/// The parts of `older.tl`: what stands below each `// LAYER N`, with that layer.
pub fn sections(text: &str) -> Result<Vec<(i32, Vec<Line>)>, String> {
    let starts: Vec<usize> = text.match_indices("// LAYER ").map(|(at, _)| at).collect();
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    let section = |(start, end): (&usize, usize)| {
        let text = &text[*start..end];
        let layer = layer(text).ok_or("`// LAYER ` without a number")?;
        let lines = schema(text).map_err(|error| format!("below layer {layer}, {error}"))?;
        Ok((layer, lines))
    };
    starts.iter().zip(ends).map(section).collect()
}

fn definition(line: &str, function: bool) -> Result<Option<Line>, String> {
    let line = line.strip_suffix(';').ok_or("no semicolon at the end")?;
    let (left, result) = line.split_once('=').ok_or("no `= Type`")?;
    let mut words = left.split_whitespace();
    let head = words.next().ok_or("no name")?;
    let Some((name, id)) = head.split_once('#') else { return Ok(None) };
    let id = u32::from_str_radix(id, 16).map_err(|_| "the id is not a hexadecimal number")?;
    let mut variables = Vec::new();
    let mut params = Vec::new();
    for word in words {
        match word.strip_prefix('{').and_then(|word| word.strip_suffix(":Type}")) {
            Some(variable) => variables.push(variable.to_owned()),
            None => params.push(param(word, &variables)?),
        }
    }
    let result = type_expr(result.trim(), &variables)?;
    Ok(Some(Line { name: name.to_owned(), id, variables, params, result, function }))
}

fn param(word: &str, variables: &[String]) -> Result<Param, String> {
    let (name, ty) = word.split_once(':').ok_or_else(|| format!("`{word}` is not `name:type`"))?;
    let (flag, ty) = match ty.split_once('?') {
        None => (None, ty),
        Some((flag, ty)) => {
            let (field, bit) = flag.split_once('.').ok_or_else(|| format!("`{flag}` is not `flags.N`"))?;
            let bit: u8 = bit.parse().ok().filter(|bit| *bit < 32).ok_or_else(|| format!("no such bit: {flag}"))?;
            (Some((field.to_owned(), bit)), ty)
        }
    };
    Ok(Param { name: name.to_owned(), flag, ty: type_expr(ty, variables)? })
}

fn type_expr(text: &str, variables: &[String]) -> Result<TypeExpr, String> {
    if text == "#" {
        return Ok(TypeExpr::Flags);
    }
    if let Some((outer, item)) = text.split_once('<') {
        let item = item.strip_suffix('>').ok_or_else(|| format!("`{text}` does not end with >"))?;
        let bare = match outer {
            "Vector" => false,
            "vector" => true,
            _ => return Err(format!("`{outer}` takes no type")),
        };
        return Ok(TypeExpr::Vector { bare, item: Box::new(type_expr(item, variables)?) });
    }
    let name = text.strip_prefix('!').unwrap_or(text);
    if variables.iter().any(|variable| variable == name) {
        return Ok(TypeExpr::Variable(name.to_owned()));
    }
    if name.is_empty() || !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.') {
        return Err(format!("`{text}` is not a type"));
    }
    Ok(TypeExpr::Name(text.to_owned()))
}

impl Line {
    /// The id that the line ought to have: CRC32 of the line without its id, its `flags.N?true` fields and its
    /// punctuation, with `bytes` read as `string`.
    pub fn computed_id(&self) -> u32 {
        let mut text = self.name.clone();
        for variable in &self.variables {
            let _ = write!(text, " {variable}:Type");
        }
        for param in &self.params {
            let is_true = param.flag.is_some() && param.ty == TypeExpr::Name("true".to_owned());
            if !is_true {
                let _ = write!(text, " {param}");
            }
        }
        let _ = write!(text, " = {}", self.result);
        let text = text.replace(":bytes ", ":string ").replace("?bytes ", "?string ");
        crc32(text.replace('<', " ").replace('>', "").as_bytes())
    }
}

impl Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}#{:08x}", self.name, self.id)?;
        for variable in &self.variables {
            write!(f, " {{{variable}:Type}}")?;
        }
        for param in &self.params {
            write!(f, " {param}")?;
        }
        write!(f, " = {};", self.result)
    }
}

impl Display for Param {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}:", self.name)?;
        if let Some((field, bit)) = &self.flag {
            write!(f, "{field}.{bit}?")?;
        }
        if matches!(self.ty, TypeExpr::Variable(_)) {
            write!(f, "!")?;
        }
        write!(f, "{}", self.ty)
    }
}

impl Display for TypeExpr {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            TypeExpr::Flags => write!(f, "#"),
            TypeExpr::Variable(name) | TypeExpr::Name(name) => write!(f, "{name}"),
            TypeExpr::Vector { bare: true, item } => write!(f, "vector<{item}>"),
            TypeExpr::Vector { bare: false, item } => write!(f, "Vector<{item}>"),
        }
    }
}

/// The lines in normal form: types, then functions, a blank line where the type or the namespace changes.
pub fn print(lines: &[Line]) -> String {
    let mut text = String::new();
    for function in [false, true] {
        let mut group = None;
        if function {
            text.push_str("\n---functions---\n");
        }
        for line in lines.iter().filter(|line| line.function == function) {
            let next = match function {
                false => line.result.to_string(),
                true => line.name.split_once('.').map_or("", |(namespace, _)| namespace).to_owned(),
            };
            if group.as_ref() != Some(&next) {
                text.push('\n');
                group = Some(next);
            }
            let _ = writeln!(text, "{line}");
        }
    }
    text
}

/// CRC32 as zlib counts it.
pub fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |mut crc, byte| {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
        }
        crc
    })
}

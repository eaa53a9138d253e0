//! The static tables: every definition with its fields, the types, where to find them by id and name, and what is
//! known of methods and errors.

use crate::hash;
use crate::names::camel;
use crate::parse::{Line, Param, TypeExpr};
use std::collections::HashMap;
use std::fmt::Write;

/// The lines with their types counted.
pub struct Schema<'a> {
    pub lines: &'a [&'a Line],
    /// Boxed types in order of first appearance, each with the indices of its constructors.
    pub types: Vec<(String, Vec<usize>)>,
    type_index: HashMap<String, usize>,
    /// Constructor name to index, for bare types.
    constructors: HashMap<&'a str, usize>,
    /// The fewest bytes that a boxed value of each type takes.
    min_sizes: Vec<usize>,
}

/// A type expression with its names looked up.
#[derive(Clone, Debug, PartialEq)]
pub enum Type {
    Flags,
    Int,
    Long,
    Double,
    String,
    Bytes,
    Bool,
    True,
    Int128,
    Int256,
    Boxed(usize),
    Bare(usize),
    Vector { bare: bool, item: Box<Type> },
    Generic,
}

impl<'a> Schema<'a> {
    /// `older` are definitions of earlier layers, whose values may stand where those of `lines` do.
    pub fn new(lines: &'a [&'a Line], older: &[(i32, Vec<Line>)]) -> Result<Schema<'a>, String> {
        let mut schema = Schema {
            lines,
            types: Vec::new(),
            type_index: HashMap::new(),
            constructors: HashMap::new(),
            min_sizes: Vec::new(),
        };
        for (index, line) in lines.iter().enumerate().filter(|(_, line)| !line.function) {
            let name = line.result.to_string();
            let next = schema.types.len();
            let ty = *schema.type_index.entry(name.clone()).or_insert(next);
            if ty == next {
                schema.types.push((name, Vec::new()));
            }
            schema.types[ty].1.push(index);
            schema.constructors.insert(&line.name, index);
        }
        let older: Vec<&Line> = older.iter().flat_map(|(_, lines)| lines).collect();
        for line in lines.iter().chain(&older) {
            for param in &line.params {
                schema.ty(&param.ty).map_err(|error| format!("{}.{}: {error}", line.name, param.name))?;
            }
            schema.ty(&line.result).map_err(|error| format!("{}: {error}", line.name))?;
        }
        let mut older_of: Vec<Vec<&Line>> = vec![Vec::new(); schema.types.len()];
        for line in older.iter().filter(|line| !line.function) {
            let Some(of) = schema.type_index.get(&line.result.to_string()) else { continue };
            older_of[*of].push(line);
        }
        // From the least there can be upwards; each round is a lower bound, and a few rounds see through nested types.
        schema.min_sizes = vec![4; schema.types.len()];
        for _ in 0..4 {
            let sizes = schema.types.iter().zip(&older_of).map(|((_, constructors), older)| {
                let constructors = constructors.iter().map(|constructor| lines[*constructor]);
                constructors.chain(older.iter().copied()).map(|line| 4 + schema.min_body(line)).min().unwrap_or(4)
            });
            schema.min_sizes = sizes.collect();
        }
        Ok(schema)
    }

    pub fn ty(&self, expr: &TypeExpr) -> Result<Type, String> {
        Ok(match expr {
            TypeExpr::Flags => Type::Flags,
            TypeExpr::Variable(_) => Type::Generic,
            TypeExpr::Vector { bare, item } => Type::Vector { bare: *bare, item: Box::new(self.ty(item)?) },
            TypeExpr::Name(name) => match name.as_str() {
                "int" => Type::Int,
                "long" => Type::Long,
                "double" => Type::Double,
                "string" => Type::String,
                "bytes" => Type::Bytes,
                "Bool" => Type::Bool,
                "true" => Type::True,
                "int128" => Type::Int128,
                "int256" => Type::Int256,
                name => match (self.type_index.get(name), self.constructors.get(name)) {
                    (Some(ty), _) => Type::Boxed(*ty),
                    (None, Some(constructor)) => Type::Bare(*constructor),
                    (None, None) => return Err(format!("nothing is called `{name}`")),
                },
            },
        })
    }

    /// The type of a parameter; `new` has seen that all are known.
    pub fn param(&self, param: &Param) -> Type {
        self.ty(&param.ty).expect("checked in new")
    }

    pub fn type_index(&self, line: &Line) -> usize {
        self.type_index.get(&line.result.to_string()).copied().unwrap_or(usize::from(u16::MAX))
    }

    /// The fewest bytes of a value.
    fn min_size(&self, ty: &Type) -> usize {
        match ty {
            Type::True => 0,
            Type::Boxed(ty) => self.min_sizes[*ty],
            Type::Bare(constructor) => self.min_body(self.lines[*constructor]),
            Type::Vector { bare: false, .. } => 8,
            _ => fixed_size(ty).unwrap_or(4),
        }
    }

    /// The fewest bytes of a definition, without its id.
    pub fn min_body(&self, line: &Line) -> usize {
        line.params.iter().filter(|param| param.flag.is_none()).map(|param| self.min_size(&self.param(param))).sum()
    }

    /// The text of the tables. `named` are the definitions with a borrowed type, which passes over them by compiled code.
    pub fn tables(&self, layer: i32, named: &[usize]) -> String {
        let mut text =
            format!("/// The layer of the API that `tl/api.tl` describes.\npub const LAYER: i32 = {layer};\n");
        let _ = writeln!(text, "pub(super) static TYPES: [BoxedType; {}] = [", self.types.len());
        for (index, (name, constructors)) in self.types.iter().enumerate() {
            let min_size = self.min_sizes[index];
            let _ = writeln!(
                text,
                "BoxedType {{ name: {name:?}, index: {index}, min_size: {min_size}, constructors: &{constructors:?} }},"
            );
        }
        let _ = writeln!(text, "];\npub(super) static DEFINITIONS: [Definition; {}] = [", self.lines.len());
        for (index, line) in self.lines.iter().enumerate() {
            self.definition(line, named.contains(&index), &mut text);
            text.push_str(",\n");
        }
        text.push_str("];\n");
        self.slots("BY_ID", |line| hash::id_slot(line.id), &mut text);
        self.slots("BY_NAME", |line| hash::name_slot(&line.name), &mut text);
        text
    }

    /// One definition, as an expression.
    pub fn definition(&self, line: &Line, named: bool, text: &mut String) {
        let kind = if line.function { "Function" } else { "Constructor" };
        let result = self.type_text(&self.ty(&line.result).expect("checked in new"));
        let module = if line.function { "functions" } else { "types" };
        let skip = match named {
            true => format!("Some(super::{module}::{}::skip)", camel(&line.name)),
            false => "None".to_owned(),
        };
        let (type_index, min_size) = (self.type_index(line), self.min_body(line));
        let ty = if line.function { u16::MAX.into() } else { type_index };
        let mut trues = [0u64; 2];
        let mut params = String::new();
        for (index, param) in line.params.iter().enumerate() {
            let ty = self.param(param);
            if ty == Type::True {
                trues[index / 64] |= 1 << (index % 64);
            }
            let _ = write!(params, "Param {{ name: {:?}, ty: {}, flag: ", param.name, self.type_text(&ty));
            match flag(line, param) {
                None => params.push_str("None },"),
                Some((field, slot, bit)) => {
                    let _ = write!(params, "Some(Flag {{ field: {field}, slot: {slot}, bit: {bit} }}) }},");
                }
            }
        }
        assert!(line.params.len() <= 128, "{}: Object has 128 bits for fields", line.name);
        let _ = write!(
            text,
            "Definition {{ id: {:#x}, name: {:?}, kind: Kind::{kind}, params: &[{params}], result: {result}, type_index: {ty}, \
             min_size: {min_size}, trues: {trues:?}, steps: b\"{}\", skip: {skip} }}",
            line.id,
            line.name,
            self.steps(line),
        );
    }

    fn type_text(&self, ty: &Type) -> String {
        match ty {
            Type::Boxed(ty) => format!("Type::Boxed(&TYPES[{ty}])"),
            Type::Bare(constructor) => format!("Type::Bare(BareType({constructor}))"),
            Type::Vector { bare: false, item } => format!("Type::Vector(&{})", self.type_text(item)),
            Type::Vector { bare: true, item } => format!("Type::BareVector(&{})", self.type_text(item)),
            simple => format!("Type::{simple:?}"),
        }
    }

    /// The skipper's programme: fields of a fixed size in one step as long as nothing stands between them.
    fn steps(&self, line: &Line) -> String {
        let mut steps: Vec<(usize, &str, usize)> = Vec::new();
        let mut slots = 0;
        for (index, param) in line.params.iter().enumerate() {
            let when = flag(line, param).map_or(255, |(_, slot, bit)| slot * 32 + usize::from(bit));
            let ty = self.param(param);
            let (op, argument) = match &ty {
                Type::True => continue,
                Type::Flags => {
                    slots += 1;
                    ("Flags", slots - 1)
                }
                Type::String => ("String", 0),
                Type::Bytes => ("Bytes", 0),
                Type::Bool => ("Bool", 0),
                Type::Boxed(ty) => ("Boxed", *ty),
                Type::Generic => ("Generic", 0),
                Type::Vector { bare: false, item } => match (&**item, fixed_size(item)) {
                    (Type::Boxed(ty), _) => ("VectorBoxed", *ty),
                    (Type::String, _) => ("VectorString", 0),
                    (Type::Bytes, _) => ("VectorBytes", 0),
                    (_, Some(size)) => ("VectorFixed", size),
                    _ => ("Typed", index),
                },
                _ => match (fixed_size(&ty), steps.last_mut()) {
                    (Some(size), Some((before, "Fixed", sum))) if *before == when => {
                        *sum += size;
                        continue;
                    }
                    (Some(size), _) => ("Fixed", size),
                    (None, _) => ("Typed", index),
                },
            };
            steps.push((when, op, argument));
        }
        steps.iter().fold(String::new(), |mut text, (when, op, argument)| {
            let op = OPS.iter().position(|name| name == op).expect("every op is listed");
            let _ = write!(text, "\\x{when:02x}\\x{op:02x}\\x{:02x}\\x{:02x}", argument & 0xff, argument >> 8);
            text
        })
    }

    fn slots(&self, name: &str, slot: impl Fn(&Line) -> usize, text: &mut String) {
        let mut slots = vec![u16::MAX; hash::SLOTS];
        for (index, line) in self.lines.iter().enumerate() {
            let mut at = slot(line);
            while slots[at] != u16::MAX {
                at = (at + 1) % hash::SLOTS;
            }
            slots[at] = index as u16;
        }
        let slots = slots.iter().fold(String::new(), |mut slots, index| {
            let _ = write!(slots, "\\x{:02x}\\x{:02x}", index & 0xff, index >> 8);
            slots
        });
        let _ = writeln!(text, "pub(super) static {name}: &[u8; 2 * hash::SLOTS] = b\"{slots}\";");
    }
}

/// What `Op` in `src/tl/skip.rs` calls the steps, in its order.
const OPS: &[&str] = &[
    "Flags",
    "Fixed",
    "String",
    "Bytes",
    "Bool",
    "Boxed",
    "Generic",
    "VectorFixed",
    "VectorString",
    "VectorBytes",
    "VectorBoxed",
    "Typed",
];

/// Bytes of a value whose size never varies.
pub fn fixed_size(ty: &Type) -> Option<usize> {
    match ty {
        Type::Flags | Type::Int => Some(4),
        Type::Long | Type::Double => Some(8),
        Type::Int128 => Some(16),
        Type::Int256 => Some(32),
        _ => None,
    }
}

/// The flag of a parameter: index of the flags field, which flags field of the definition it is, bit.
fn flag(line: &Line, param: &Param) -> Option<(usize, usize, u8)> {
    let (field, bit) = param.flag.as_ref()?;
    let index = line.params.iter().position(|other| other.name == *field && other.ty == TypeExpr::Flags)?;
    let slot = line.params[..index].iter().filter(|other| other.ty == TypeExpr::Flags).count();
    Some((index, slot, *bit))
}

/// `METHODS`, in the order of the functions in the schema, and `ERRORS`, sorted by name.
pub fn methods(lines: &[&Line], methods: &str, errors: &str) -> Result<String, String> {
    let rows = |file: &'static str, text: &'static str| format!("{file}: {text}");
    let mut text = String::new();
    let mut error_index = HashMap::new();
    let mut error_rows = Vec::new();
    for row in errors.lines().skip(1) {
        let [name, code, meaning] =
            columns(row).ok_or_else(|| rows("tl/errors.tsv", "a line has not three columns"))?;
        let code: i32 = code.parse().map_err(|_| format!("tl/errors.tsv: {name}: `{code}` is not a number"))?;
        error_index.insert(name, error_rows.len());
        error_rows.push(format!("ErrorInfo {{ name: {name:?}, code: {code}, text: {meaning:?} }},\n"));
    }
    let _ =
        writeln!(text, "pub(super) static ERRORS: [ErrorInfo; {}] = [\n{}];", error_rows.len(), error_rows.concat());

    let mut method_rows = Vec::new();
    for row in methods.lines().skip(1) {
        let [name, callers, scripts, errors] =
            columns(row).ok_or_else(|| rows("tl/methods.tsv", "a line has not four columns"))?;
        if !lines.iter().any(|line| line.function && line.name == name) {
            return Err(format!("tl/methods.tsv: no function is called {name}"));
        }
        let callers = variant("callers", callers, &[("bot", "Bot"), ("user", "User"), ("both", "Both")], name)?;
        let scripts =
            variant("scripts", scripts, &[("default", "Default"), ("grant", "Grant"), ("never", "Never")], name)?;
        let errors: Result<Vec<usize>, String> = errors
            .split_whitespace()
            .map(|error| {
                error_index.get(error).copied().ok_or_else(|| format!("tl/methods.tsv: {name}: unknown {error}"))
            })
            .collect();
        method_rows.push((
            name,
            format!(
                "Method {{ name: {name:?}, callers: Callers::{callers}, scripts: Scripts::{scripts}, errors: &{:?} }},\n",
                errors?
            ),
        ));
    }
    method_rows.sort();
    let _ = writeln!(text, "pub(super) static METHODS: [Method; {}] = [", method_rows.len());
    text.extend(method_rows.into_iter().map(|(_, row)| row));
    text.push_str("];\n");
    Ok(text)
}

fn columns<const N: usize>(row: &str) -> Option<[&str; N]> {
    row.split('\t').collect::<Vec<_>>().try_into().ok()
}

fn variant<'a>(column: &str, value: &str, variants: &[(&str, &'a str)], method: &str) -> Result<&'a str, String> {
    let found = variants.iter().find(|(text, _)| *text == value);
    found.map(|(_, variant)| *variant).ok_or_else(|| format!("tl/methods.tsv: {method}: {column} cannot be `{value}`"))
}

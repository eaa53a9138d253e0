//! The borrowed types: a struct for each named definition, an enum for each type that has one.

use crate::names::{camel, field_name, variant_names};
use crate::parse::{Line, Param};
use crate::tables::{Schema, Type, fixed_size};
use std::collections::{HashMap, HashSet};
use std::fmt::Write;

/// The definitions that Rust names, as indices into `api` followed by `mtproto`.
pub fn named(list: &str, api: &[Line], mtproto: &[Line]) -> Result<Vec<usize>, String> {
    let mut found: HashSet<usize> = (api.len()..api.len() + mtproto.len()).collect();
    for name in list.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let before = found.len();
        let fits = |line: &&Line| line.name == name || (!line.function && line.result.to_string() == name);
        found.extend(api.iter().enumerate().filter(|(_, line)| fits(line)).map(|(index, _)| index));
        if found.len() == before && !api.iter().any(|line| fits(&line)) {
            return Err(format!("tl/named.txt: nothing is called `{name}`"));
        }
    }
    let mut found: Vec<usize> = found.into_iter().collect();
    found.sort_unstable();
    Ok(found)
}

pub fn types(schema: &Schema, named: &[usize]) -> Result<String, String> {
    let generator = Generator::new(schema, named);
    let mut modules = [String::new(), String::new()];
    for index in named {
        let line = schema.lines[*index];
        generator.structure(line, &mut modules[usize::from(line.function)]);
    }
    let mut enums = String::new();
    for ty in 0..schema.types.len() {
        if generator.is_named(ty) {
            generator.enumeration(ty, &mut enums);
        }
    }
    let mut arms = String::new();
    for index in named {
        let line = schema.lines[*index];
        let structure = format!("{}::{}", if line.function { "functions" } else { "types" }, camel(&line.name));
        let _ = writeln!(
            arms,
            "{structure}::ID => Raw::new(bytes).and_then(|raw| raw.parse::<{structure}>()).map(|read| read.write(&mut out)),"
        );
    }
    let [types, functions] = modules;
    let module = |name: &str, doc: &str, body: &str| {
        format!(
            "/// {doc}\n#[allow(clippy::all, unused_variables, unused_imports)]\npub mod {name} {{\nuse crate::tl::borrowed::*;\n{body}}}\n"
        )
    };
    Ok(module("types", "Constructors that Rust names, borrowed from the bytes they were read from.", &types)
        + &module("enums", "Types with at least one named constructor.", &enums)
        + &module("functions", "Functions that Rust names.", &functions)
        + &format!(
            "/// Reads a boxed value by its borrowed type, if it has one, and writes it again.\n#[cfg(test)]\n\
             pub fn rewrite(bytes: &[u8]) -> Option<Result<Vec<u8>, crate::tl::DecodeError>> {{\nuse crate::tl::Raw;\n\
             let mut out = Vec::new();\nlet read = match u32::from_le_bytes(*bytes.first_chunk()?) {{\n{arms}_ => return None,\n}};\n\
             Some(read.map(|()| out))\n}}\n"
        ))
}

struct Generator<'a> {
    schema: &'a Schema<'a>,
    named: HashSet<usize>,
    /// For each type with named constructors, the types that its fields lead to.
    reaches: HashMap<usize, HashSet<usize>>,
    /// Types whose enum borrows.
    borrowing: HashSet<usize>,
    /// The ids of the constructors that are used as types.
    bare: HashSet<u32>,
}

impl<'a> Generator<'a> {
    fn new(schema: &'a Schema<'a>, named: &[usize]) -> Generator<'a> {
        let named = named.iter().copied().collect();
        let params = schema.lines.iter().flat_map(|line| &line.params).map(|param| schema.param(param));
        let bare = params.filter_map(|ty| match ty {
            Type::Bare(constructor) => Some(constructor),
            Type::Vector { item, .. } => {
                if let Type::Bare(constructor) = *item {
                    Some(constructor)
                } else {
                    None
                }
            }
            _ => None,
        });
        let bare = bare.map(|constructor| schema.lines[constructor].id).collect();
        let mut generator = Generator { schema, named, reaches: HashMap::new(), borrowing: HashSet::new(), bare };
        let types: Vec<usize> = (0..schema.types.len()).filter(|ty| generator.is_named(*ty)).collect();
        for ty in &types {
            let fields = generator.lines_of(*ty).flat_map(|line| &line.params);
            let next = fields.filter_map(|param| generator.enum_in(&schema.param(param))).collect();
            generator.reaches.insert(*ty, next);
        }
        loop {
            let before: usize = generator.reaches.values().map(HashSet::len).sum();
            for ty in &types {
                let further: Vec<usize> =
                    generator.reaches[ty].iter().flat_map(|next| &generator.reaches[next]).copied().collect();
                generator.reaches.entry(*ty).or_default().extend(further);
            }
            if before == generator.reaches.values().map(HashSet::len).sum() {
                break;
            }
        }
        loop {
            let more: Vec<usize> = types
                .iter()
                .copied()
                .filter(|ty| !generator.borrowing.contains(ty))
                .filter(|ty| {
                    generator.has_other(*ty) || generator.lines_of(*ty).any(|line| generator.line_borrows(line))
                })
                .collect();
            if more.is_empty() {
                return generator;
            }
            generator.borrowing.extend(more);
        }
    }

    fn is_named(&self, ty: usize) -> bool {
        self.schema.types[ty].1.iter().any(|constructor| self.named.contains(constructor))
    }

    fn has_other(&self, ty: usize) -> bool {
        !self.schema.types[ty].1.iter().all(|constructor| self.named.contains(constructor))
    }

    fn lines_of(&self, ty: usize) -> impl Iterator<Item = &'a Line> {
        let constructors = self.schema.types[ty].1.iter();
        constructors
            .filter(|constructor| self.named.contains(constructor))
            .map(|constructor| self.schema.lines[*constructor])
    }

    /// The named type within a field.
    fn enum_in(&self, ty: &Type) -> Option<usize> {
        match ty {
            Type::Boxed(ty) => Some(*ty).filter(|ty| self.is_named(*ty)),
            Type::Bare(constructor) => Some(self.schema.type_index(self.schema.lines[*constructor])),
            Type::Vector { item, .. } => self.enum_in(item),
            _ => None,
        }
    }

    /// Whether a field of `line` leads back to the type that `line` is of. Such a field stays raw: a struct that holds
    /// itself has no size, and readers that never recurse need no limit of depth.
    fn recurses(&self, line: &Line, ty: &Type) -> bool {
        let (Some(field), false) = (self.enum_in(ty), line.function) else { return false };
        let own = self.schema.type_index(line);
        field == own || self.reaches.get(&field).is_some_and(|reached| reached.contains(&own))
    }

    fn line_borrows(&self, line: &Line) -> bool {
        let types = line.params.iter().map(|param| self.schema.param(param));
        types.filter(|ty| *ty != Type::Flags).any(|ty| self.rust_type(line, &ty).contains("'a"))
    }

    fn rust_type(&self, line: &Line, ty: &Type) -> String {
        match ty {
            Type::Int => "i32".to_owned(),
            Type::Long => "i64".to_owned(),
            Type::Double => "f64".to_owned(),
            Type::Bool | Type::True => "bool".to_owned(),
            Type::String => "&'a str".to_owned(),
            Type::Bytes => "&'a [u8]".to_owned(),
            Type::Int128 => "[u8; 16]".to_owned(),
            Type::Int256 => "[u8; 32]".to_owned(),
            Type::Boxed(index) if self.is_named(*index) && !self.recurses(line, ty) => {
                let lifetime = if self.borrowing.contains(index) { "<'a>" } else { "" };
                format!("crate::tl::enums::{}{lifetime}", camel(&self.schema.types[*index].0))
            }
            Type::Bare(constructor) => {
                let bare = self.schema.lines[*constructor];
                let lifetime = if self.line_borrows(bare) { "<'a>" } else { "" };
                format!("crate::tl::types::{}{lifetime}", camel(&bare.name))
            }
            Type::Vector { item, .. } => match self.rust_type(line, item) {
                bare if matches!(**item, Type::Bare(_)) => format!("List<'a, Bare<{bare}>>"),
                item => format!("List<'a, {item}>"),
            },
            Type::Flags | Type::Boxed(_) | Type::Generic => "Raw<'a>".to_owned(),
        }
    }

    /// The expression that reads an unconditional field.
    fn read(&self, line: &Line, ty: &Type) -> String {
        let rust = self.rust_type(line, ty);
        match ty {
            Type::Boxed(ty) if rust == "Raw<'a>" => format!("r.raw_of({ty})?"),
            Type::Bare(_) => format!("<{rust}>::read(r)?"),
            Type::Vector { bare, item } => match (&**item, bare) {
                (Type::Boxed(ty), false) if rust.contains("Raw<'a>") => format!("List::read_raw(r, {ty})?"),
                (_, false) => format!("<{rust}>::read(r)?"),
                (_, true) => format!("<{rust}>::read_bare(r)?"),
            },
            _ => format!("<{rust} as Tl>::get(r)?"),
        }
    }

    /// The statement that writes a field of that type.
    fn write(&self, ty: &Type, place: &str, reference: &str) -> String {
        match ty {
            Type::Bare(_) | Type::Vector { bare: true, .. } => format!("{place}.write_bare(out);"),
            _ => format!("Tl::put({reference}{place}, out);"),
        }
    }

    fn structure(&self, line: &Line, text: &mut String) {
        let name = camel(&line.name);
        let borrows = self.line_borrows(line);
        let (lifetime, implied) = if borrows { ("<'a>", "<'a>") } else { ("", "<'_>") };
        let fields: Vec<(&Param, Type, String)> =
            line.params.iter().map(|param| (param, self.schema.param(param), field_name(&param.name))).collect();
        let mut declared = String::new();
        let mut built = String::new();
        let mut default = true;
        for (param, ty, field) in fields.iter().filter(|(_, ty, _)| *ty != Type::Flags) {
            let rust = self.rust_type(line, ty);
            let optional = param.flag.is_some() && *ty != Type::True;
            default &= optional || !(rust.contains("::") || rust == "Raw<'a>") || rust.starts_with("List");
            let rust = if optional { format!("Option<{rust}>") } else { rust };
            let _ = writeln!(declared, "pub {field}: {rust},");
            let _ = write!(built, "{field}: v_{}, ", param.name);
        }
        let _ = writeln!(
            text,
            "/// `{line}`\n#[derive(Clone, Copy, Debug, PartialEq{})]\npub struct {name}{lifetime} {{\n{declared}}}",
            if default { ", Default" } else { "" },
        );
        let write_bare = match self.bare.contains(&line.id) {
            false => String::new(),
            true => format!(
                "/// Writes it bare, without its id.\npub fn write_bare(&self, out: &mut Vec<u8>) {{\n{}}}\n",
                self.writer(line, &fields, false)
            ),
        };
        let _ = writeln!(
            text,
            "impl{lifetime} {name}{lifetime} {{\npub const ID: u32 = {:#010x};\n\
             /// Reads it bare, after the id.\n#[inline]\npub fn read(r: &mut Reader{implied}) -> Result<Self, DecodeError> {{\n{}\
             Ok({name} {{ {built} }})\n}}\n\
             /// Writes it boxed, with its id.\n#[inline]\npub fn write(&self, out: &mut Vec<u8>) {{\n{}}}\n\
             {write_bare}\
             /// Passes over it, bare, and checks it as `read` does.\n#[inline]\n\
             pub(crate) fn skip(r: &mut Reader) -> Result<(), DecodeError> {{\n{}Ok(())\n}}\n}}",
            line.id,
            self.reader(line, &fields),
            self.writer(line, &fields, true),
            self.skipper(line, &fields),
        );
        let _ = writeln!(
            text,
            "impl<'a> Tl<'a> for {name}{lifetime} {{\nconst MIN_SIZE: usize = {};\n#[inline]\n\
             fn get(r: &mut Reader<'a>) -> Result<Self, DecodeError> {{\nr.expect(Self::ID)?;\nSelf::read(r)\n}}\n#[inline]\n\
             fn pass(r: &mut Reader<'a>) -> Result<(), DecodeError> {{\nr.expect(Self::ID)?;\nSelf::skip(r)\n}}\n#[inline]\n\
             fn put(&self, out: &mut Vec<u8>) {{\nself.write(out)\n}}\n}}",
            4 + self.schema.min_body(line),
        );
    }

    /// Statements that bind a variable to each field. Fields of a fixed size in a row cost one check of the length.
    fn reader(&self, line: &Line, fields: &[(&Param, Type, String)]) -> String {
        let mut text = String::new();
        let mut at = 0;
        while at < fields.len() {
            // A flag takes no bytes, so it does not end a run, and its flags field comes before it.
            let whole =
                |ty: &Type, param: &Param| *ty == Type::True || param.flag.is_none() && fixed_size(ty).is_some();
            let run = fields[at..].iter().take_while(|(param, ty, _)| whole(ty, param)).count();
            let size: usize = fields[at..at + run].iter().filter_map(|(_, ty, _)| fixed_size(ty)).sum();
            if size > 0 {
                let _ = writeln!(text, "let b = r.array::<{size}>()?;");
            }
            let mut offset = 0;
            for (param, ty, _) in &fields[at..at + run] {
                let value = match &param.flag {
                    Some((flags, bit)) => format!("v_{flags} & {:#x} != 0", 1u32 << bit),
                    None => format!("{}(b, {offset})", part(ty)),
                };
                let _ = writeln!(text, "let v_{} = {value};", param.name);
                offset += fixed_size(ty).unwrap_or_default();
            }
            at += run;
            let Some((param, ty, _)) = fields.get(at) else { break };
            let value = match &param.flag {
                Some((flags, bit)) => {
                    format!(
                        "if v_{flags} & {:#x} != 0 {{ Some({}) }} else {{ None }}",
                        1u32 << bit,
                        self.read(line, ty)
                    )
                }
                None => self.read(line, ty),
            };
            let _ = writeln!(text, "let v_{} = {value};", param.name);
            at += 1;
        }
        text
    }

    /// Statements that pass over each field. Fields of a fixed size in a row that are there or not together are one step.
    fn skipper(&self, line: &Line, fields: &[(&Param, Type, String)]) -> String {
        let mut text = String::new();
        let valued: Vec<&(&Param, Type, String)> = fields.iter().filter(|(_, ty, _)| *ty != Type::True).collect();
        let mut at = 0;
        while let Some((first, ty, _)) = valued.get(at) {
            let together =
                |(param, ty, _): &&&(&Param, Type, String)| param.flag == first.flag && fixed_size(ty).is_some();
            let run = valued[at..].iter().take_while(together).count();
            let mut step = String::new();
            if run > 0 {
                let size: usize = valued[at..at + run].iter().filter_map(|(_, ty, _)| fixed_size(ty)).sum();
                let mut offset = 0;
                let _ = write!(step, "let b = r.array::<{size}>()?;");
                for (param, ty, _) in &valued[at..at + run] {
                    if *ty == Type::Flags {
                        let _ = write!(step, "let v_{} = u32_at(b, {offset});", param.name);
                    }
                    offset += fixed_size(ty).unwrap_or_default();
                }
            } else {
                step = self.skip(line, ty);
            }
            let _ = match &first.flag {
                Some((flags, bit)) => writeln!(text, "if v_{flags} & {:#x} != 0 {{ {step} }}", 1u32 << bit),
                None => writeln!(text, "{step}"),
            };
            at += run.max(1);
        }
        text
    }

    /// The statement that passes over a field.
    fn skip(&self, line: &Line, ty: &Type) -> String {
        let rust = self.rust_type(line, ty);
        match ty {
            Type::Boxed(ty) if rust == "Raw<'a>" => format!("r.skip_boxed({ty})?;"),
            Type::Boxed(ty) => format!("crate::tl::enums::{}::skip(r)?;", camel(&self.schema.types[*ty].0)),
            Type::Generic => "r.skip_function()?;".to_owned(),
            Type::Vector { bare: false, item } => match **item {
                Type::Boxed(ty) if rust.contains("Raw<'a>") => format!("r.skip_vector({ty})?;"),
                _ => format!(
                    "r.pass_items::<{}>()?;",
                    self.rust_type(line, item).replace("<'a>", "<'_>").replace("&'a", "&")
                ),
            },
            Type::Vector { bare: true, .. } => format!("<{}>::read_bare(r)?;", rust.replace("'a", "'_")),
            _ => format!("<{} as Tl>::pass(r)?;", rust.replace("&'a", "&")),
        }
    }

    fn writer(&self, line: &Line, fields: &[(&Param, Type, String)], boxed: bool) -> String {
        let mut text = String::new();
        // The parts of a fixed size that wait to be written at once.
        let mut run: Vec<(usize, String)> = Vec::new();
        if boxed {
            run.push((4, "Self::ID".to_owned()));
        }
        for (param, ty, field) in fields {
            match (&param.flag, ty) {
                (None, Type::Flags) => run.push((4, self.flags(line, &param.name))),
                (None, ty) if fixed_size(ty).is_some() => {
                    let value = if matches!(ty, Type::Int128 | Type::Int256) {
                        format!("&self.{field}")
                    } else {
                        format!("self.{field}")
                    };
                    run.push((fixed_size(ty).unwrap_or_default(), value));
                }
                (Some(_), Type::True) => {}
                (flag, ty) => {
                    flush(&mut run, &mut text);
                    let _ = match flag {
                        // Written only where every field of the bit is there: see `flags`.
                        Some((_, bit)) => writeln!(
                            text,
                            "if let Some(value) = {} {{ {} }}",
                            self.guarded(line, param, *bit, field),
                            self.write(ty, "value", "")
                        ),
                        None => writeln!(text, "{}", self.write(ty, &format!("self.{field}"), "&")),
                    };
                }
            }
        }
        flush(&mut run, &mut text);
        text
    }

    /// An optional field, absent too where another field of its bit is.
    fn guarded(&self, line: &Line, param: &Param, bit: u8, field: &str) -> String {
        let others: Vec<String> =
            sharing(self.schema, line, param, bit).filter(|other| *other != param.name).map(field_name).collect();
        if others.is_empty() {
            return format!("&self.{field}");
        }
        let present: Vec<String> = others.iter().map(|other| format!("self.{other}.is_some()")).collect();
        format!("self.{field}.as_ref().filter(|_| {})", present.join(" && "))
    }

    fn flags(&self, line: &Line, flags: &str) -> String {
        let mut bits: Vec<String> = Vec::new();
        for bit in 0..32u8 {
            let of_bit = |param: &&Param| param.flag.as_ref().is_some_and(|(field, of)| field == flags && *of == bit);
            let Some(first) = line.params.iter().find(of_bit) else { continue };
            let valued: Vec<String> = sharing(self.schema, line, first, bit)
                .map(|name| format!("self.{}.is_some()", field_name(name)))
                .collect();
            let condition = if valued.is_empty() {
                let trues: Vec<String> = line
                    .params
                    .iter()
                    .filter(of_bit)
                    .map(|param| format!("self.{}", field_name(&param.name)))
                    .collect();
                trues.join(" | ")
            } else {
                valued.join(" & ")
            };
            bits.push(format!("(({condition}) as u32) << {bit}"));
        }
        if bits.is_empty() { "0u32".to_owned() } else { format!("({})", bits.join(" | ")) }
    }

    fn enumeration(&self, ty: usize, text: &mut String) {
        let (type_name, constructors) = &self.schema.types[ty];
        let name = camel(type_name);
        let (lifetime, implied) = if self.borrowing.contains(&ty) { ("<'a>", "<'a>") } else { ("", "<'_>") };
        let (mut variants, mut reads, mut writes, mut skips) =
            (String::new(), String::new(), String::new(), String::new());
        let lines: Vec<&Line> = self.lines_of(ty).collect();
        for (line, variant) in lines.iter().zip(variant_names(type_name, &lines)) {
            let structure = format!("crate::tl::types::{}", camel(&line.name));
            let borrows = if self.line_borrows(line) { "<'a>" } else { "" };
            let _ = writeln!(variants, "{variant}({structure}{borrows}),");
            let _ = writeln!(reads, "{structure}::ID => Ok(Self::{variant}({structure}::read(r)?)),");
            let _ = writeln!(writes, "Self::{variant}(value) => value.write(out),");
            let _ = writeln!(skips, "{structure}::ID => {structure}::skip(r),");
        }
        let (start, other) = if lines.len() < constructors.len() {
            variants.push_str("/// A constructor that Rust has no type for.\nOther(Raw<'a>),\n");
            writes.push_str("Self::Other(raw) => raw.write(out),\n");
            ("let start = r.rest();\n", format!("id => Ok(Self::Other(r.raw_after_id(start, id, {ty})?)),"))
        } else {
            ("", format!("id => Err(DecodeError::UnknownConstructor {{ id, expected: {type_name:?} }}),"))
        };
        let min = lines.iter().map(|line| 4 + self.schema.min_body(line)).min().unwrap_or(4);
        let min = if lines.len() < constructors.len() { 4 } else { min };
        let _ = writeln!(
            text,
            "/// `{type_name}`\n#[derive(Clone, Copy, Debug, PartialEq)]\npub enum {name}{lifetime} {{\n{variants}}}\n\
             impl{lifetime} {name}{lifetime} {{\n/// Reads it boxed, with its id.\n#[inline]\n\
             pub fn read(r: &mut Reader{implied}) -> Result<Self, DecodeError> {{\n{start}match r.id()? {{\n{reads}{other}\n}}\n}}\n\
             /// Writes it boxed, with its id.\n#[inline]\npub fn write(&self, out: &mut Vec<u8>) {{\nmatch self {{\n{writes}}}\n}}\n\
             /// Passes over it, boxed, and checks it as `read` does.\n#[inline]\n\
             pub(crate) fn skip(r: &mut Reader) -> Result<(), DecodeError> {{\nmatch r.id()? {{\n{skips}\
             id => r.skip_after_id(id, {ty}),\n}}\n}}\n}}\n\
             impl<'a> Tl<'a> for {name}{lifetime} {{\nconst MIN_SIZE: usize = {min};\n#[inline]\n\
             fn get(r: &mut Reader<'a>) -> Result<Self, DecodeError> {{\nSelf::read(r)\n}}\n#[inline]\n\
             fn pass(r: &mut Reader<'a>) -> Result<(), DecodeError> {{\nSelf::skip(r)\n}}\n#[inline]\n\
             fn put(&self, out: &mut Vec<u8>) {{\nself.write(out)\n}}\n}}"
        );
    }
}

/// The fields other than `true` that share a bit with `param`, itself among them.
fn sharing<'a>(schema: &Schema, line: &'a Line, param: &'a Param, bit: u8) -> impl Iterator<Item = &'a str> {
    let flags = param.flag.as_ref().map(|(flags, _)| flags.as_str()).unwrap_or_default();
    let names: Vec<&str> = line
        .params
        .iter()
        .filter(|other| other.flag.as_ref().is_some_and(|(field, of)| field == flags && *of == bit))
        .filter(|other| schema.param(other) != Type::True)
        .map(|other| other.name.as_str())
        .collect();
    names.into_iter()
}

/// Writes the waiting parts with one call.
fn flush(run: &mut Vec<(usize, String)>, text: &mut String) {
    if run.is_empty() {
        return;
    }
    let size: usize = run.iter().map(|(size, _)| size).sum();
    let _ = writeln!(text, "let mut b = [0u8; {size}];");
    let mut at = 0;
    for (size, value) in run.drain(..) {
        let bytes = if value.starts_with('&') { value } else { format!("&({value}).to_le_bytes()") };
        let _ = writeln!(text, "b[{at}..{}].copy_from_slice({bytes});", at + size);
        at += size;
    }
    text.push_str("out.extend_from_slice(&b);\n");
}

fn part(ty: &Type) -> &'static str {
    match ty {
        Type::Flags => "u32_at",
        Type::Int => "i32_at",
        Type::Long => "i64_at",
        Type::Double => "f64_at",
        _ => "bytes_at",
    }
}

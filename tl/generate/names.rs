//! What Rust calls what TL names.

use crate::parse::Line;
use std::collections::HashSet;

/// `messages.affectedMessages` to `MessagesAffectedMessages`, `req_pq_multi` to `ReqPqMulti`.
pub fn camel(name: &str) -> String {
    let mut text = String::new();
    for word in name.split(['.', '_']) {
        let mut letters = word.chars();
        text.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        text.push_str(letters.as_str());
    }
    text
}

/// A TL field as Rust spells it: `self` is `is_self`, other keywords are raw.
pub fn field_name(name: &str) -> String {
    match name {
        "self" => "is_self".to_owned(),
        "type" | "final" | "loop" | "private" | "static" => format!("r#{name}"),
        _ => name.to_owned(),
    }
}

/// What the constructors of a type are called within its enum: `peerUser` of `Peer` is `User`.
pub fn variant_names(type_name: &str, lines: &[&Line]) -> Vec<String> {
    let prefix = camel(type_name);
    let whole: Vec<String> =
        lines.iter().map(|line| camel(line.name.rsplit('.').next().unwrap_or(&line.name))).collect();
    let prefix = match type_name.rsplit_once('.') {
        Some((_, last)) => camel(last),
        None => prefix,
    };
    let short: Vec<String> = whole
        .iter()
        .map(|name| match name.get(..prefix.len()) {
            Some(start) if start.eq_ignore_ascii_case(&prefix) => {
                let rest = &name[prefix.len()..];
                let usable =
                    rest.starts_with(|first: char| first.is_ascii_uppercase()) && rest != "Self" && rest != "Other";
                if usable { rest.to_owned() } else { name.clone() }
            }
            _ => name.clone(),
        })
        .collect();
    let unique: HashSet<&String> = short.iter().collect();
    if unique.len() == short.len() { short } else { whole }
}

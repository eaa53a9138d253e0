//! Which methods the friendly functions call, read from the prelude's own source: there is no second list to keep.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use super::super::natives::PRELUDE;
use super::tokens::{Token, tokens};
use crate::tl;

/// What the body of one function names.
#[derive(Default)]
struct Body {
    methods: Vec<String>,
    /// Other functions of the prelude.
    functions: Vec<String>,
}

static FUNCTIONS: LazyLock<HashMap<String, Body>> = LazyLock::new(|| {
    let mut found = HashMap::new();
    for (_, source) in PRELUDE {
        read(source, &mut found);
    }
    found
});

/// The methods that `tg.NAME` may call, itself or through others.
pub(super) fn methods_of(name: &str) -> Vec<&'static str> {
    called_by(format!("tg.{name}"))
}

/// The methods that `message:NAME` may call.
pub(super) fn methods_of_message(name: &str) -> Vec<&'static str> {
    called_by(format!("methods:{name}"))
}

fn called_by(function: String) -> Vec<&'static str> {
    let mut seen = HashSet::new();
    let mut methods = Vec::new();
    let mut to_see = vec![function];
    while let Some(name) = to_see.pop() {
        let Some(body) = FUNCTIONS.get(&name) else { continue };
        if !seen.insert(name) {
            continue;
        }
        for method in &body.methods {
            if !methods.contains(&method.as_str()) {
                methods.push(method.as_str());
            }
        }
        to_see.extend(body.functions.iter().cloned());
    }
    methods
}

/// Notes the functions of a source at its left margin, `function tg.x()` and `local function x()`, with what stands before the
/// next one.
fn read(source: &str, into: &mut HashMap<String, Body>) {
    let lines: Vec<&str> = source.lines().collect();
    let at_margin = |line: usize| lines.get(line - 1).is_some_and(|line| !line.starts_with([' ', '\t']));
    let tokens = tokens(source.as_bytes());
    let mut current: Option<String> = None;
    for (at, (token, line)) in tokens.iter().enumerate() {
        let before = |back: usize| at.checked_sub(back).map(|at| &tokens[at].0);
        match token {
            Token::Name(word) if word == "function" && at_margin(*line) => {
                let name = |at: usize| match tokens.get(at) {
                    Some((Token::Name(name), _)) => Some(name.clone()),
                    _ => None,
                };
                current = match (name(at + 1), tokens.get(at + 2), name(at + 3)) {
                    (Some(space), Some((Token::Other(sign @ ("." | ":")), _)), Some(name)) => {
                        Some(format!("{space}{sign}{name}"))
                    }
                    (Some(name), ..) => Some(name),
                    _ => None,
                };
            }
            Token::Text(text) if tl::function(text).is_some() => {
                if let Some(current) = &current {
                    into.entry(current.clone()).or_default().methods.push(text.clone());
                }
            }
            Token::Name(name) => {
                let Some(current) = &current else { continue };
                let is_field = matches!(before(1), Some(Token::Other("." | ":")));
                let of_tg = is_field && matches!(before(2), Some(Token::Name(space)) if space == "tg");
                let called = if of_tg { format!("tg.{name}") } else { name.clone() };
                if (of_tg || !is_field) && called != *current {
                    into.entry(current.clone()).or_default().functions.push(called);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prelude_tells_what_its_functions_call() {
        assert_eq!(methods_of("send_message"), ["messages.sendMessage"]);
        assert_eq!(methods_of("delete_messages"), ["channels.deleteMessages", "messages.deleteMessages"]);
        assert!(methods_of("ask").contains(&"messages.sendMessage"), "by tg.send_message");
        assert_eq!(methods_of_message("reply"), ["messages.sendMessage"]);
        assert!(methods_of("on_message").is_empty());
        assert!(methods_of("no_such").is_empty());
    }
}

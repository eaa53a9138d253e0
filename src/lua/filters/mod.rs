//! Filters as Rust values: built once by the script, evaluated on the update's bytes. Lua is entered only for
//! `filters.create`.

mod command;
mod named;
mod peers;

use std::rc::Rc;

use mlua::{Function, UserData};
use regex::{Regex, RegexSet, SetMatches};

pub(super) use command::{Command, DEFAULT_PREFIX, name_after, split as split_command, with_lower};
pub(super) use named::NAMED;
pub(super) use peers::PeerSet;

use super::events::View;
use super::outside::Held;

/// Filters in one composition, and how deep they nest: it is walked in Rust, for each update.
const MAX_SIZE: u32 = 10_000;
const MAX_DEPTH: u32 = 200;

/// A filter as Lua holds it.
#[derive(Clone)]
pub(super) struct Filter {
    pub node: Rc<Node>,
    /// Filters that it is made of; one that is used twice counts twice, as it is looked at twice.
    pub size: u32,
    depth: u32,
}

impl UserData for Filter {}

impl Filter {
    pub fn new(node: Node) -> Filter {
        Filter { node: Rc::new(node), size: 1, depth: 1 }
    }

    /// One made of others; the error is for the script.
    pub fn of(node: Node, parts: &[&Filter]) -> Result<Filter, String> {
        let size = parts.iter().fold(1u32, |size, part| size.saturating_add(part.size));
        let depth = 1 + parts.iter().map(|part| part.depth).max().unwrap_or(0);
        if size > MAX_SIZE || depth > MAX_DEPTH {
            return Err(format!(
                "a filter is made of {MAX_SIZE} others at most, {MAX_DEPTH} deep: filters.create(fn) can do more"
            ));
        }
        Ok(Filter { node: Rc::new(node), size, depth })
    }
}

/// One filter, or a composition.
pub(super) enum Node {
    And(Rc<Node>, Rc<Node>),
    Or(Rc<Node>, Rc<Node>),
    Not(Rc<Node>),
    Is(fn(&View) -> bool),
    Command(Command),
    Regex(Pattern),
    /// A callback's data.
    Data(Pattern),
    User(PeerSet),
    Chat(PeerSet),
    /// In one of these topics.
    Topic(Vec<i64>),
    Lua(Leaf),
}

/// A filter written in Lua.
pub(super) struct Leaf {
    /// Tells the leaves of a script apart.
    pub id: u32,
    pub function: Function,
    pub _held: Held,
}

/// A regular expression, by its index among the script's if it is for texts.
pub(super) struct Pattern {
    pub index: u32,
    pub regex: Regex,
    /// What its automaton takes; none where an equal one has it.
    pub _held: Option<Rc<Held>>,
}

/// Which command and which expression matched, so that `message.command` and `.matches` can be made when they are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct How {
    /// Bytes before the command's name, plus 1; 0 where no command matched.
    pub prefix: u16,
    /// The name as it was written counts, in place of its lower case.
    pub case_sensitive: bool,
    /// The expression's index plus 1; 0 where none matched.
    pub pattern: u32,
}

impl How {
    /// In one Lua integer; 0 where nothing is to be remembered.
    pub fn pack(self) -> i64 {
        i64::from(self.pattern) << 32 | i64::from(self.case_sensitive) << 16 | i64::from(self.prefix)
    }

    pub fn unpack(packed: i64) -> How {
        How { prefix: packed as u16, case_sensitive: packed & 1 << 16 != 0, pattern: ((packed as u64) >> 32) as u32 }
    }
}

/// The answer of a Lua filter is needed before the evaluation can go on.
pub(super) struct Ask<'n>(pub &'n Leaf);

/// What one evaluation knows and learns.
pub(super) struct Evaluation<'e> {
    pub view: &'e View<'e>,
    /// Answers of Lua filters for this update.
    pub answers: &'e [(u32, bool)],
    /// All expressions of the script at once, where there are enough of them.
    pub patterns: Option<&'e RegexSet>,
    pub matches: Option<SetMatches>,
    pub how: How,
}

impl Node {
    /// Whether the update matches; an evaluation is begun again with every answer that it asked for.
    pub fn matches<'n>(&'n self, e: &mut Evaluation) -> Result<bool, Ask<'n>> {
        Ok(match self {
            Node::And(a, b) => a.matches(e)? && b.matches(e)?,
            Node::Or(a, b) => {
                let before = e.how;
                if a.matches(e)? {
                    return Ok(true);
                }
                e.how = before;
                b.matches(e)?
            }
            Node::Not(a) => {
                let before = e.how;
                let matched = a.matches(e)?;
                e.how = before;
                !matched
            }
            Node::Is(test) => test(e.view),
            Node::Command(command) => match command.find(e.view) {
                Some(prefix) => {
                    e.how.prefix = prefix + 1;
                    e.how.case_sensitive = command.case_sensitive;
                    true
                }
                None => false,
            },
            Node::Regex(pattern) => {
                let Some(text) = e.view.matched_text() else { return Ok(false) };
                let matched = match e.patterns {
                    Some(set) => e.matches.get_or_insert_with(|| set.matches(text)).matched(pattern.index as usize),
                    None => pattern.regex.is_match(text),
                };
                if matched {
                    e.how.pattern = pattern.index + 1;
                }
                matched
            }
            Node::Data(pattern) => {
                let data = e.view.data().and_then(|data| std::str::from_utf8(data).ok());
                data.is_some_and(|data| pattern.regex.is_match(data))
            }
            Node::User(set) => set.has_sender(e.view),
            Node::Chat(set) => set.has_chat(e.view),
            Node::Topic(topics) => e.view.topic().is_some_and(|topic| topics.contains(&topic)),
            Node::Lua(leaf) => match e.answers.iter().find(|(id, _)| *id == leaf.id) {
                Some((_, answer)) => *answer,
                None => return Err(Ask(leaf)),
            },
        })
    }

    /// The commands one of which must be there for this to match; `None` where it may match without one.
    pub fn required_commands(&self) -> Option<Vec<&Command>> {
        match self {
            Node::Command(command) => Some(vec![command]),
            Node::And(a, b) => a.required_commands().or_else(|| b.required_commands()),
            Node::Or(a, b) => {
                let mut both = a.required_commands()?;
                both.extend(b.required_commands()?);
                Some(both)
            }
            _ => None,
        }
    }
}

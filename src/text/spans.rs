//! What Markdown and HTML share: pairing marks, and putting marks into a text.

use super::{Entity, Kind};

/// A piece of the source.
pub(super) enum Piece<'t> {
    Text(&'t str),
    /// Text whose characters were written otherwise: `\*`, `&lt;`.
    Char(char),
    /// Code, in which nothing is a mark.
    Whole {
        kind: Kind,
        text: String,
    },
    Mark(Mark<'t>),
}

/// What may begin or end an entity. One that finds no partner is the text it was written as.
pub(super) struct Mark<'t> {
    pub literal: &'t str,
    /// Marks of the same tag find each other.
    pub tag: u8,
    pub role: Role,
    /// Of an opening mark in HTML, of a closing one in a Markdown link.
    pub kind: Option<Kind>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Open,
    Close,
    /// Opens, or closes what the same mark opened.
    Toggle,
}

/// How many tags there may be.
pub(super) const TAGS: usize = 16;

/// UTF-16 code units of a text.
pub fn utf16_len(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// Pairs the marks and gives the text that is left, with its entities in order.
pub(super) fn assemble(pieces: Vec<Piece>) -> (String, Vec<Entity>) {
    let partner = pair(&pieces);
    let mut text = String::new();
    let mut units = 0;
    let mut starts = vec![0; pieces.len()];
    let mut entities = Vec::new();
    for (i, piece) in pieces.iter().enumerate() {
        let start = units;
        let mut push = |part: &str| {
            text.push_str(part);
            units += utf16_len(part);
        };
        match piece {
            Piece::Text(part) => push(part),
            Piece::Char(c) => push(c.encode_utf8(&mut [0; 4])),
            Piece::Whole { kind, text } => {
                push(text);
                entities.push(Entity { kind: kind.clone(), offset: start, length: units - start });
            }
            Piece::Mark(mark) => match partner[i] {
                None => push(mark.literal),
                Some(other) if other > i => starts[i] = units,
                Some(other) => {
                    let Piece::Mark(open) = &pieces[other] else { continue };
                    if let Some(kind) = mark.kind.clone().or_else(|| open.kind.clone()) {
                        entities.push(Entity { kind, offset: starts[other], length: units - starts[other] });
                    }
                }
            },
        }
    }
    entities.retain(|entity| entity.length > 0);
    entities.sort_by_key(|entity| (entity.offset, usize::MAX - entity.length));
    (text, entities)
}

/// For each piece that is a mark with a partner, the partner's index.
fn pair(pieces: &[Piece]) -> Vec<Option<usize>> {
    let mut partner = vec![None; pieces.len()];
    let mut open: Vec<usize> = Vec::new();
    // How many of each tag stand open, so that a search that cannot succeed is not begun.
    let mut counts = [0usize; TAGS];
    for (i, piece) in pieces.iter().enumerate() {
        let Piece::Mark(mark) = piece else { continue };
        let tag = usize::from(mark.tag) % TAGS;
        let is_empty = open.last() == Some(&(i.wrapping_sub(1))) && i > 0;
        if mark.role == Role::Open || counts[tag] == 0 || is_empty && tag_of(pieces, i - 1) == tag {
            if mark.role != Role::Close {
                open.push(i);
                counts[tag] += 1;
            }
            continue;
        }
        while let Some(other) = open.pop() {
            let other_tag = tag_of(pieces, other);
            counts[other_tag] -= 1;
            if other_tag == tag {
                partner[i] = Some(other);
                partner[other] = Some(i);
                break;
            }
        }
    }
    partner
}

fn tag_of(pieces: &[Piece], i: usize) -> usize {
    match &pieces[i] {
        Piece::Mark(mark) => usize::from(mark.tag) % TAGS,
        _ => TAGS,
    }
}

/// Writes a text with marks around its entities; `open` and `close` give the marks, `escape` writes one character between
/// them (told whether it stands in code). Entities that overlap are cut where another one ends.
pub fn write_marked(
    text: &str,
    entities: &[Entity],
    open: impl Fn(&Kind, &mut String),
    close: impl Fn(&Kind, &mut String),
    escape: impl Fn(char, bool, &mut String),
) -> String {
    let mut sorted: Vec<&Entity> =
        entities.iter().filter(|e| e.length > 0 && !matches!(e.kind, Kind::Other(_))).collect();
    sorted.sort_by_key(|entity| (entity.offset, usize::MAX - entity.length));
    let mut waiting = sorted.into_iter().peekable();
    let mut opened: Vec<&Entity> = Vec::new();
    let mut out = String::with_capacity(text.len() + 16 * entities.len());
    let mut at = 0;
    let mut chars = text.chars();
    loop {
        // An end in the middle of the open ones closes those above it, which are opened again.
        while let Some(first) = opened.iter().position(|e| e.offset + e.length <= at) {
            let above: Vec<&Entity> = opened.drain(first..).collect();
            above.iter().rev().for_each(|entity| close(&entity.kind, &mut out));
            for entity in above.into_iter().filter(|e| e.offset + e.length > at) {
                open(&entity.kind, &mut out);
                opened.push(entity);
            }
        }
        let Some(c) = chars.next() else { break };
        while let Some(entity) = waiting.next_if(|entity| entity.offset <= at) {
            if entity.offset.saturating_add(entity.length) > at {
                open(&entity.kind, &mut out);
                opened.push(entity);
            }
        }
        let in_code = opened.iter().any(|entity| matches!(entity.kind, Kind::Code | Kind::Pre(_)));
        escape(c, in_code, &mut out);
        at += c.len_utf16();
    }
    opened.iter().rev().for_each(|entity| close(&entity.kind, &mut out));
    out
}

//! What someone may have meant who mistyped a name.

use super::schema::{Kind, definitions};

/// Names are compared in time that grows with both lengths.
const LONGEST: usize = 200;

/// The name that is most like `wrong`, if one is like enough. What differs only by case or by `_` is nearest.
pub fn nearest<'n>(wrong: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    // Both may be a script's. What is that long was not mistyped.
    if wrong.len() > LONGEST {
        return None;
    }
    let plain = plain(wrong);
    let limit = plain.len() / 3 + 1;
    let near = names.into_iter().filter(|name| name.len().abs_diff(wrong.len()) <= limit + 2);
    let near = near.map(|name| (distance(&plain, &self::plain(name)), name)).filter(|(distance, _)| *distance <= limit);
    near.min_by_key(|(distance, _)| *distance).map(|(_, name)| name)
}

/// Among the constructors.
pub fn nearest_constructor(wrong: &str) -> Option<&'static str> {
    nearest(wrong, names(Kind::Constructor))
}

/// Among the functions. A name without its namespace finds the function that has one: `sendMessage`.
pub fn nearest_function(wrong: &str) -> Option<&'static str> {
    let within = |name: &&str| name.split_once('.').is_some_and(|(_, last)| last.eq_ignore_ascii_case(wrong));
    names(Kind::Function).find(within).or_else(|| nearest(wrong, names(Kind::Function)))
}

/// Among both.
pub fn nearest_definition(wrong: &str) -> Option<&'static str> {
    nearest(wrong, definitions().iter().map(|definition| definition.name))
}

fn names(kind: Kind) -> impl Iterator<Item = &'static str> {
    definitions().iter().filter(move |definition| definition.kind == kind).map(|definition| definition.name)
}

fn plain(name: &str) -> Vec<u8> {
    name.bytes().filter(|byte| *byte != b'_').map(|byte| byte.to_ascii_lowercase()).collect()
}

/// Insertions, deletions, substitutions and swaps of neighbours.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut next = vec![i];
        for j in 1..=b.len() {
            let same = a[i - 1] == b[j - 1];
            let mut least = (row[j] + 1).min(next[j - 1] + 1).min(row[j - 1] + usize::from(!same));
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(before[j - 2] + 1);
            }
            next.push(least);
        }
        before = std::mem::replace(&mut row, next);
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_what_was_meant() {
        let check = |wrong: &str, meant| assert_eq!(nearest_function(wrong), meant, "{wrong}");
        check("messages.sendMesage", Some("messages.sendMessage"));
        check("messages.send_message", Some("messages.sendMessage"));
        check("sendMessage", Some("messages.sendMessage"));
        check("message.getHistroy", Some("messages.getHistory"));
        check("xyzzy", None);
        assert_eq!(nearest_constructor("inputPeerchanel"), Some("inputPeerChannel"));
    }

    #[test]
    fn names_that_are_nothing_alike_are_not_suggested() {
        assert_eq!(nearest("text", ["message", "peer", "random_id"]), None);
        assert_eq!(nearest("", ["message", "peer"]), None);
        let (long, longer) = ("a".repeat(1 << 20), "a".repeat((1 << 20) + 1));
        assert_eq!(nearest(&longer, [long.as_str()]), None);
    }
}

//! Texts and their entities, as the server takes them: <https://core.telegram.org/api/entities>.

use super::Call;
use super::fields::{Fields, encode_vector};
use crate::local_dc::refusal::Refusal;
use crate::local_dc::world::Blob;
use crate::tl::{Object, Value};

/// The most entities in one message; Telegram drops what is more.
const ENTITIES_MAX: usize = 100;

/// A text as it is kept: without white space around it, with its entities moved along and the bot commands found in it.
pub fn written<'a>(
    call: &Call<'_>,
    text: &str,
    entities: impl Iterator<Item = &'a Object>,
) -> Result<(String, Option<Blob>), Refusal> {
    let length = text.encode_utf16().count() as i64;
    let cut = text[..text.len() - text.trim_start().len()].encode_utf16().count() as i64;
    let trimmed = text.trim();
    let kept = trimmed.encode_utf16().count() as i64;
    let mut found = Vec::new();
    for entity in entities.take(ENTITIES_MAX) {
        let (offset, size) = (entity.number("offset"), entity.number("length"));
        if offset < 0 || size <= 0 || offset + size > length {
            return Err(Refusal::bad("ENTITY_BOUNDS_INVALID"));
        }
        let begin = (offset - cut).clamp(0, kept);
        let end = (offset + size - cut).clamp(0, kept);
        if begin < end {
            found.push(told(call, entity)?.with("offset", begin).with("length", end - begin));
        }
    }
    let covered = |offset: i64| {
        found.iter().any(|e| e.number("offset") <= offset && offset < e.number("offset") + e.number("length"))
    };
    let commands: Vec<(i64, i64)> = bot_commands(trimmed).into_iter().filter(|(offset, _)| !covered(*offset)).collect();
    found.extend(
        commands.into_iter().map(|(offset, length)| {
            Object::new("messageEntityBotCommand").with("offset", offset).with("length", length)
        }),
    );
    found.sort_by_key(|entity| (entity.number("offset"), -entity.number("length")));
    if found.is_empty() {
        return Ok((trimmed.to_owned(), None));
    }
    let found: Vec<Value> = found.into_iter().map(Value::Object).collect();
    Ok((trimmed.to_owned(), encode_vector(&found).map(Blob)))
}

/// An entity as readers are told of it: a mention by name carries a user id and no access hash.
fn told(call: &Call<'_>, entity: &Object) -> Result<Object, Refusal> {
    match entity.name() {
        "inputMessageEntityMentionName" => {
            let user =
                call.user(entity.required("user_id")?).map_err(|_| Refusal::bad("ENTITY_MENTION_USER_INVALID"))?;
            Ok(Object::new("messageEntityMentionName").with("user_id", user))
        }
        _ => Ok(entity.clone()),
    }
}

/// Where `/command` or `/command@bot` stands at the beginning or after white space: offsets and lengths in UTF-16 units.
fn bot_commands(text: &str) -> Vec<(i64, i64)> {
    let mut found = Vec::new();
    let mut offset = 0;
    for word in text.split_inclusive(char::is_whitespace) {
        if let Some(command) = command_in(word) {
            found.push((offset, command.len() as i64));
        }
        offset += word.encode_utf16().count() as i64;
    }
    found
}

fn command_in(word: &str) -> Option<&str> {
    let letters = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let name = word.strip_prefix('/')?;
    let end = name.find(|c| !letters(c)).unwrap_or(name.len());
    if !(1..=64).contains(&end) {
        return None;
    }
    let bot = name[end..].strip_prefix('@').map_or(0, |bot| bot.find(|c| !letters(c)).unwrap_or(bot.len()));
    let end = if bot > 0 { end + 1 + bot } else { end };
    // "/a/b" is a path.
    if name[end..].starts_with('/') { None } else { Some(&word[..end + 1]) }
}

#[cfg(test)]
mod tests {
    use super::bot_commands;

    #[test]
    fn commands_are_found_where_telegram_finds_them() {
        let check = |text: &str, expected: &[(i64, i64)]| assert_eq!(bot_commands(text), expected, "{text}");
        check("/start", &[(0, 6)]);
        check("/start now", &[(0, 6)]);
        check("🦀 /go@helper_bot, /x", &[(3, 14), (19, 2)]);
        check("a/b /c/d 1/2 /", &[]);
        check("mail/start", &[]);
    }
}

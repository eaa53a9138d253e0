//! The list of commands that Telegram's apps show for a bot. <https://core.telegram.org/api/bots/commands>

use super::Client;
use super::error::CallError;
use crate::tl::{self, Object, Value};

/// The most commands that Telegram takes.
pub const MAX_COMMANDS: usize = 100;

/// One command of a bot's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BotCommand {
    /// Without the `/`.
    pub name: String,
    pub description: String,
}

impl BotCommand {
    /// None where Telegram does not take the name: 1 to 32 lower-case letters a to z, digits and underscores. A description has 256
    /// characters at most; the rest is left out.
    pub fn new(name: &str, description: &str) -> Option<BotCommand> {
        let fits = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_';
        let (description, name) = (description.trim(), name.to_owned());
        let fine = (1..=32).contains(&name.len()) && name.bytes().all(fits) && !description.is_empty();
        fine.then(|| BotCommand { name, description: description.chars().take(256).collect() })
    }
}

impl Client {
    /// The commands that are shown where no other list was made for a chat or a language.
    pub async fn bot_commands(&self) -> Result<Vec<BotCommand>, CallError> {
        let Value::Vector(commands) = self.ask_of_bots(default_list("bots.getBotCommands")).await? else {
            return Ok(Vec::new());
        };
        let text = |command: &Object, field: &str| match command.get(field) {
            Some(Value::String(text)) => text.clone(),
            _ => String::new(),
        };
        let told = commands.iter().filter_map(|command| match command {
            Value::Object(command) => {
                Some(BotCommand { name: text(command, "command"), description: text(command, "description") })
            }
            _ => None,
        });
        Ok(told.collect())
    }

    /// Replaces them.
    pub async fn set_bot_commands(&self, commands: &[BotCommand]) -> Result<(), CallError> {
        let list: Vec<Value> = commands
            .iter()
            .map(|command| {
                let object = Object::new("botCommand").with("command", command.name.as_str());
                Value::Object(object.with("description", command.description.as_str()))
            })
            .collect();
        self.ask_of_bots(default_list("bots.setBotCommands").with("commands", list)).await.map(drop)
    }

    async fn ask_of_bots(&self, query: Object) -> Result<Value, CallError> {
        let mut body = Vec::new();
        tl::encode(&query, &mut body).expect("the schema has the bots' methods");
        let answer = self.invoke(body.into()).await?;
        let function = tl::function(query.name()).expect("the schema has the bots' methods");
        tl::decode_result(function, &answer).map_err(|error| CallError::Invalid(error.to_string()))
    }
}

fn default_list(method: &str) -> Object {
    Object::new(method).with("scope", Object::new("botCommandScopeDefault")).with("lang_code", "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_where_telegram_takes_its_name() {
        for (name, description, shown) in [
            ("start", "Begin", true),
            ("a_1", " x ", true),
            ("Start", "Begin", false),
            ("старт", "Begin", false),
            ("", "Begin", false),
            ("start", " ", false),
            (&"x".repeat(33), "Begin", false),
        ] {
            assert_eq!(BotCommand::new(name, description).is_some(), shown, "{name} {description}");
        }
        let long = BotCommand::new("start", &"ü".repeat(300)).unwrap();
        assert_eq!(long.description.chars().count(), 256);
    }
}

//! bots.*: the commands of a bot. <https://core.telegram.org/api/bots/commands>

use super::fields::Fields;
use super::teller::list;
use super::{Answered, Call};
use crate::local_dc::refusal::Refusal;
use crate::local_dc::world::{Blob, Bot, Command};
use crate::tl::{Object, Value};

/// The most commands of one scope.
const COMMANDS_MAX: usize = 100;

pub fn set_bot_commands(call: &mut Call<'_>, query: &Object) -> Answered {
    let commands: Result<Vec<Command>, Refusal> = query.objects("commands").map(command).collect();
    let commands = commands?;
    if commands.len() > COMMANDS_MAX {
        return Err(Refusal::bad("BOT_COMMANDS_TOO_MUCH"));
    }
    store(call, query, commands)
}

pub fn reset_bot_commands(call: &mut Call<'_>, query: &Object) -> Answered {
    store(call, query, Vec::new())
}

pub fn get_bot_commands(call: &Call<'_>, query: &Object) -> Answered {
    let (scope, language) = scope(query)?;
    let bot = call
        .telegram
        .world
        .user(call.me)
        .and_then(|user| user.bot.as_ref())
        .ok_or(Refusal::bad("USER_BOT_REQUIRED"))?;
    Ok(list(bot.commands(&scope, &language).iter().map(told)))
}

/// What users see of a bot: the commands of the default scope.
pub fn info(id: i64, bot: &Bot) -> Object {
    let default = super::fields::encode(&Object::new("botCommandScopeDefault")).map(Blob);
    let commands = default.map_or(&[][..], |scope| bot.commands(&scope, ""));
    let commands: Vec<Object> = commands.iter().map(told).collect();
    Object::new("botInfo")
        .with("user_id", id)
        .with("commands", list(commands))
        .with("menu_button", Object::new("botMenuButtonDefault"))
}

fn store(call: &mut Call<'_>, query: &Object, commands: Vec<Command>) -> Answered {
    let (scope, language) = scope(query)?;
    let account = call.telegram.world.account_mut(call.me);
    let bot = account.and_then(|account| account.user.bot.as_mut()).ok_or(Refusal::bad("USER_BOT_REQUIRED"))?;
    bot.set_commands(scope, language, commands);
    call.telegram.changed = true;
    Ok(Value::Bool(true))
}

fn scope(query: &Object) -> Result<(Blob, String), Refusal> {
    let language = query.text("lang_code").to_owned();
    let known = language.len() == 2 && language.bytes().all(|b| b.is_ascii_lowercase());
    if !known && !language.is_empty() {
        return Err(Refusal::bad("LANG_CODE_INVALID"));
    }
    Ok((query.blob("scope").ok_or(Refusal::bad("INPUT_REQUEST_INVALID"))?, language))
}

fn command(input: &Object) -> Result<Command, Refusal> {
    let (command, description) = (input.text("command").to_owned(), input.text("description").to_owned());
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if !(1..=32).contains(&command.len()) || !command.chars().all(letters) {
        return Err(Refusal::bad("BOT_COMMAND_INVALID"));
    }
    if !(1..=256).contains(&description.chars().count()) {
        return Err(Refusal::bad("BOT_COMMAND_DESCRIPTION_INVALID"));
    }
    Ok(Command { command, description })
}

fn told(command: &Command) -> Object {
    Object::new("botCommand")
        .with("command", command.command.as_str())
        .with("description", command.description.as_str())
}

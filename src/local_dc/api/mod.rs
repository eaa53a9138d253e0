//! The methods. A query is a decoded function; its handler reads and changes [`Telegram`] and answers at once, or later.
//!
//! `answer` is the index of what is there. A method that is not in it gets `501 METHOD_NOT_IMPLEMENTED_name`: Telegram's error
//! names have no place for a method's name, but whoever reads the error should see which one is missing.

mod account;
mod auth;
mod bots;
mod buttons;
mod chats;
pub mod fields;
mod help;
mod history;
mod peers;
pub mod teller;
#[cfg(test)]
mod tests;
mod text;
mod updates;
mod users;
mod writing;

pub use buttons::answer as button_answer;

use std::borrow::Cow;

use super::refusal::Refusal;
use super::telegram::{SessionKey, Telegram, Waiter};
use super::world::Effect;
use crate::tl::{self, Callers, Object, Value};

/// What a handler gives back.
pub type Answered = Result<Value, Refusal>;

/// One query, and who asks.
pub struct Call<'a> {
    pub telegram: &'a mut Telegram,
    pub session: SessionKey,
    pub msg_id: i64,
    /// Who is signed in; 0 before that.
    pub me: i64,
    /// Unix seconds.
    pub now: i32,
}

/// An answer, or that it will come among [`Telegram::answers`].
#[derive(Debug)]
pub enum Answer {
    Now(Answered),
    Later,
}

/// Carries out one query, without its wrappers.
pub fn call(telegram: &mut Telegram, session: SessionKey, msg_id: i64, query: &Object, now: i32) -> Answer {
    let me = telegram.keys.account(session.auth_key).unwrap_or_default();
    let mut call = Call { telegram, session, msg_id, me, now };
    if let Err(refusal) = call.allowed(query.name()) {
        return Answer::Now(Err(refusal));
    }
    if query.name() == "messages.getBotCallbackAnswer" {
        return match buttons::press(&mut call, query) {
            Ok(()) => Answer::Later,
            Err(refusal) => Answer::Now(Err(refusal)),
        };
    }
    Answer::Now(answer(&mut call, query))
}

fn answer(call: &mut Call<'_>, query: &Object) -> Answered {
    match query.name() {
        "help.getConfig" => help::get_config(call),
        "help.getNearestDc" => help::get_nearest_dc(call),
        "help.getAppConfig" => help::get_app_config(query),

        "auth.importBotAuthorization" => auth::import_bot_authorization(call, query),
        "auth.sendCode" => auth::send_code(call, query),
        "auth.resendCode" => auth::resend_code(call, query),
        "auth.cancelCode" => auth::cancel_code(call, query),
        "auth.signIn" => auth::sign_in(call, query),
        "auth.signUp" => auth::sign_up(call, query),
        "auth.logOut" => auth::log_out(call),
        "auth.bindTempAuthKey" => auth::bind_temp_auth_key(call, query),

        "account.updateStatus" => account::update_status(call, query),

        "updates.getState" => updates::get_state(call),
        "updates.getDifference" => updates::get_difference(call, query),

        "users.getUsers" => users::get_users(call, query),
        "users.getFullUser" => users::get_full_user(call, query),
        "contacts.resolveUsername" => users::resolve_username(call, query),
        "contacts.resolvePhone" => users::resolve_phone(call, query),
        "contacts.getContacts" => users::get_contacts(),

        "messages.getHistory" => history::get_history(call, query),
        "messages.getDialogs" => history::get_dialogs(call, query),
        "messages.getMessages" => history::get_messages(call, query),

        "messages.sendMessage" => writing::send_message(call, query),
        "messages.editMessage" => writing::edit_message(call, query),
        "messages.deleteMessages" => writing::delete_messages(call, query),
        "messages.readHistory" => writing::read_history(call, query),
        "messages.setTyping" => writing::set_typing(call, query),

        "messages.createChat" => chats::create_chat(call, query),
        "messages.getChats" => chats::get_chats(call, query),
        "messages.getFullChat" => chats::get_full_chat(call, query),
        "messages.addChatUser" => chats::add_chat_user(call, query),
        "messages.editChatAdmin" => chats::edit_chat_admin(call, query),
        "messages.deleteChatUser" => chats::delete_chat_user(call, query),

        "messages.setBotCallbackAnswer" => buttons::set_bot_callback_answer(call, query),
        "bots.setBotCommands" => bots::set_bot_commands(call, query),
        "bots.getBotCommands" => bots::get_bot_commands(call, query),
        "bots.resetBotCommands" => bots::reset_bot_commands(call, query),

        name => Err(not_implemented(name)),
    }
}

/// What a method, or a part of one, that is not there answers.
pub fn not_implemented(what: &str) -> Refusal {
    tracing::warn!(method = what, "METHOD_NOT_IMPLEMENTED: the local DC does not have {what}");
    Refusal { code: 501, name: Cow::Owned(format!("METHOD_NOT_IMPLEMENTED_{what}")) }
}

impl Call<'_> {
    /// Whether this caller may call this method: a binding first, then sign-in, and not every method is for bots, or for users.
    fn allowed(&self, method: &str) -> Result<(), Refusal> {
        let keys = &self.telegram.keys;
        if keys.stands_for(self.session.auth_key).is_none() {
            // "An unbound temp_auth_key_id may only be used with the following methods": https://core.telegram.org/api/pfs
            let open = matches!(method, "auth.bindTempAuthKey" | "help.getConfig" | "help.getNearestDc");
            return if open { Ok(()) } else { Err(Refusal::new(401, "AUTH_KEY_PERM_EMPTY")) };
        }
        if let Some(ending) = keys.ended(self.session.auth_key).filter(|_| !method.starts_with("auth.")) {
            return Err(ending.refusal());
        }
        if self.me == 0 {
            let open = method.starts_with("auth.") || method.starts_with("help.") || method.starts_with("langpack.");
            return if open { Ok(()) } else { Err(Refusal::new(401, "AUTH_KEY_UNREGISTERED")) };
        }
        let bot = self.telegram.world.is_bot(self.me);
        match tl::method(method).map(|method| method.callers) {
            Some(Callers::User) if bot => Err(Refusal::bad("BOT_METHOD_INVALID")),
            Some(Callers::Bot) if !bot => Err(Refusal::bad("USER_BOT_REQUIRED")),
            _ => Ok(()),
        }
    }

    /// Tells everyone of what the caller did. The caller's own session gets its part in the answer.
    fn publish(&mut self, effects: &[Effect]) {
        self.telegram.publish(effects, Some(self.session), self.now);
    }

    fn waiter(&self) -> Waiter {
        Waiter::Query { session: self.session, msg_id: self.msg_id }
    }
}

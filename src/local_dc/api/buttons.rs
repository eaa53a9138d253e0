//! Callback buttons: pressed by a user, answered by the bot. <https://core.telegram.org/api/bots/buttons#callback-queries>

use super::fields::{Fields, Kept};
use super::teller::Teller;
use super::{Answered, Call};
use crate::local_dc::ButtonAnswer;
use crate::local_dc::events::WorldEvent;
use crate::local_dc::refusal::Refusal;
use crate::local_dc::telegram::{Press, Telegram, Waiter};
use crate::local_dc::world::{Content, Peer};
use crate::tl::{Object, Value};

/// How long a bot may take, in seconds, before the one who pressed is told that it did not answer.
const PATIENCE: i32 = 15;

pub fn press(call: &mut Call<'_>, query: &Object) -> Result<(), Refusal> {
    let peer = call.peer(query.required("peer")?)?;
    if query.flag("game") || query.get("password").is_some() {
        return Err(super::not_implemented("messages.getBotCallbackAnswer.game"));
    }
    let data = query.raw("data").unwrap_or_default().to_vec();
    let waiter = call.waiter();
    call.telegram.press_button(call.me, peer, query.small("msg_id"), data, waiter, call.now)
}

pub fn set_bot_callback_answer(call: &mut Call<'_>, query: &Object) -> Answered {
    let id = query.number("query_id");
    let invalid = Refusal::bad("QUERY_ID_INVALID");
    if call.telegram.presses.get(&id).is_none_or(|press| press.bot != call.me) {
        return Err(invalid);
    }
    let press = call.telegram.presses.remove(&id).ok_or(invalid)?;
    let text = query.text_opt("message").filter(|text| !text.is_empty());
    let url = query.text_opt("url").filter(|url| !url.is_empty());
    let answer = Object::new("messages.botCallbackAnswer")
        .with("alert", query.flag("alert"))
        .with("has_url", url.is_some())
        .with("native_ui", true)
        .with("message", text.map(str::to_owned))
        .with("url", url.map(str::to_owned))
        .with("cache_time", query.small("cache_time"));
    let shown = WorldEvent::ButtonAnswered {
        user: press.user,
        text: text.unwrap_or_default().to_owned(),
        alert: query.flag("alert"),
    };
    call.telegram.events.push(shown);
    call.telegram.answers.push((press.waiter, Ok(answer.into())));
    Ok(Value::Bool(true))
}

/// What a `messages.BotCallbackAnswer` shows.
pub fn answer(value: &Value) -> ButtonAnswer {
    let Value::Object(answer) = value else { return ButtonAnswer::default() };
    let text = |name| answer.text_opt(name).map(str::to_owned);
    ButtonAnswer { text: text("message"), alert: answer.flag("alert"), url: text("url") }
}

impl Telegram {
    /// Presses the button with this data under a bot's message; `waiter` gets a `messages.BotCallbackAnswer`.
    pub fn press_button(
        &mut self,
        user: i64,
        peer: Peer,
        id: i32,
        data: Vec<u8>,
        waiter: Waiter,
        now: i32,
    ) -> Result<(), Refusal> {
        let invalid = Refusal::bad("MESSAGE_ID_INVALID");
        let view = self.world.view(user, id).filter(|view| view.peer == peer).ok_or(invalid.clone())?;
        let (bot, place) = (view.message.from, view.message.place);
        let Content::Text { markup: Some(markup), .. } = &view.message.content else { return Err(invalid) };
        let markup = markup.object().ok_or(invalid.clone())?;
        let mut buttons = markup.objects("rows").flat_map(|row| row.objects("buttons"));
        if !buttons.any(|button| button.inner("type").is_some_and(|kind| kind.raw("data") == Some(&data))) {
            return Err(Refusal::bad("DATA_INVALID"));
        }
        let bots_id = *view.message.copies.get(&bot).ok_or(invalid)?;
        let query = self.press(Press { bot, user, waiter, deadline: now.saturating_add(PATIENCE) });
        let update = |teller: &mut Teller<'_>| {
            teller.mention(user);
            Object::new("updateBotCallbackQuery")
                .with("query_id", query)
                .with("user_id", user)
                .with("peer", teller.peer(place.peer(bot)))
                .with("msg_id", bots_id)
                .with("chat_instance", chat_instance(user, peer))
                .with("data", data)
        };
        self.signal(bot, None, update, now);
        Ok(())
    }
}

/// The same for everyone who presses in a chat, and not an id that could be used as one.
fn chat_instance(user: i64, peer: Peer) -> i64 {
    let chat: i64 = if let Peer::Group(_) = peer { peer.into() } else { user };
    chat.wrapping_mul(0x5DEE_CE66_D1CE_4E5B)
}

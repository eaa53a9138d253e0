//! What kind of medium a message carries.

use crate::tl::{Object, Raw};

/// The name of a message's field for this medium: `photo`, `video`, `voice` …; `None` where it has none.
/// <https://core.telegram.org/type/MessageMedia>
pub(in crate::lua) fn media_kind(media: Raw) -> Option<&'static str> {
    Some(match media.definition()?.name {
        "messageMediaPhoto" => "photo",
        "messageMediaGeo" | "messageMediaGeoLive" => "location",
        "messageMediaContact" => "contact",
        "messageMediaVenue" => "venue",
        "messageMediaPoll" => "poll",
        "messageMediaDice" => "dice",
        "messageMediaGame" => "game",
        "messageMediaInvoice" => "invoice",
        "messageMediaWebPage" => "web_page",
        "messageMediaStory" => "story",
        "messageMediaDocument" => document_kind(&media.decode().ok()?),
        _ => return None,
    })
}

/// A document is what its attributes say. <https://core.telegram.org/type/DocumentAttribute>
fn document_kind(media: &Object) -> &'static str {
    let attributes = media.object("document").and_then(|document| document.vector("attributes")).unwrap_or_default();
    let attribute = |name: &str| attributes.iter().filter_map(|value| value.as_object()).find(|object| object.is(name));
    if attribute("documentAttributeAnimated").is_some() {
        return "animation";
    }
    if attribute("documentAttributeSticker").is_some() {
        return "sticker";
    }
    if let Some(video) = attribute("documentAttributeVideo") {
        return if video.flag("round_message") { "video_note" } else { "video" };
    }
    if let Some(audio) = attribute("documentAttributeAudio") {
        return if audio.flag("voice") { "voice" } else { "audio" };
    }
    "document"
}

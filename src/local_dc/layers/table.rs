//! What becomes of each field where an earlier layer has a definition otherwise. A test holds the rows against the schema:
//! every difference has its row, and no row is without one.

/// What becomes of a field of this layer in an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Becomes {
    /// The earlier layer has no such field. It is left out; on the way back it is absent.
    Dropped,
    /// Optional here, required there. Where it is absent the object cannot be told; on the way back nothing changes.
    Needed,
    /// A text with entities here, a plain string there: the entities are left out.
    Plain,
    /// A vector of another type, whose items are converted one by one.
    Items,
}

use Becomes::{Dropped, Items, Needed, Plain};

/// Definition, field, and what becomes of it, by the last layer that has the definition otherwise.
pub const FIELDS: &[(i32, &str, &str, Becomes)] = &[
    (227, "user", "linked_community_id", Dropped),
    (227, "channel", "linked_community_id", Dropped),
    (227, "botCommand", "ephemeral", Dropped),
    (227, "messages.searchGlobal", "community", Dropped),
    (228, "replyInlineMarkup", "force_reply", Dropped),
    (228, "replyInlineMarkup", "rows", Items),
    (228, "messageActionStarGiftUnique", "name_hidden", Dropped),
    (228, "messageActionStarGiftUnique", "message", Dropped),
    (228, "sendMessageTextDraftAction", "can_stop", Dropped),
    (228, "sendMessageTextDraftAction", "keep_on_stop", Dropped),
    (228, "sendMessageRichMessageDraftAction", "can_stop", Dropped),
    (228, "sendMessageRichMessageDraftAction", "keep_on_stop", Dropped),
    (228, "inputSendMessageRichMessageDraftAction", "can_stop", Dropped),
    (228, "inputSendMessageRichMessageDraftAction", "keep_on_stop", Dropped),
    (228, "pageBlockBlockquote", "collapsed", Dropped),
    (228, "inputInvoiceStarGiftResale", "show_name", Dropped),
    (228, "inputInvoiceStarGiftResale", "message", Dropped),
    (228, "updateEphemeralBotCallbackQuery", "peer", Needed),
    (228, "updateEphemeralBotCallbackQuery", "chat_instance", Dropped),
    (228, "ephemeralMessage", "welcome_template", Dropped),
    (228, "ephemeralMessage", "invert_media", Dropped),
    (228, "ephemeralMessage", "noforwards", Dropped),
    (228, "ephemeralMessage", "peer_id", Needed),
    (228, "ephemeralMessage", "rich_message", Dropped),
    (228, "ephemeralMessage", "chat_instance", Dropped),
    (228, "ephemeralMessage", "anchor_msg_id", Dropped),
    (228, "ephemeral.sendMessage", "invert_media", Dropped),
    (228, "ephemeral.sendMessage", "welcome", Dropped),
    (228, "ephemeral.sendMessage", "anchor", Dropped),
    (228, "ephemeral.sendMessage", "noforwards", Dropped),
    (228, "ephemeral.sendMessage", "peer", Needed),
    (228, "ephemeral.editMessage", "invert_media", Dropped),
    (228, "ephemeral.editMessage", "welcome", Dropped),
    (228, "ephemeral.editMessage", "peer", Needed),
    (228, "ephemeral.editMessage", "rich_message", Dropped),
    (228, "ephemeral.deleteMessage", "peer", Needed),
    (229, "botVerifierSettings", "custom_description", Plain),
    (229, "botVerification", "description", Plain),
    (229, "bots.setCustomVerification", "custom_description", Plain),
    (229, "bots.checkUsername", "additional", Dropped),
    (229, "auth.initFirebasePnvLogin", "except_ids", Dropped),
];

/// The last layer whose keyboards have one constructor for each kind of button. Since then the kind is a field, and inline
/// keyboards have buttons of their own.
pub const OLD_BUTTONS: i32 = 228;

/// The old constructor; the button that it is now; the kind that it has. The fields of the old one are those of the other two.
pub const BUTTONS: &[(&str, &str, &str)] = &[
    ("keyboardButton", "keyboardButton", "buttonTypeDefault"),
    ("keyboardButtonRequestPhone", "keyboardButton", "buttonTypeRequestPhone"),
    ("keyboardButtonRequestGeoLocation", "keyboardButton", "buttonTypeRequestGeoLocation"),
    ("keyboardButtonRequestPoll", "keyboardButton", "buttonTypeRequestPoll"),
    ("keyboardButtonRequestPeer", "keyboardButton", "buttonTypeRequestPeer"),
    ("inputKeyboardButtonRequestPeer", "keyboardButton", "inputButtonTypeRequestPeer"),
    ("keyboardButtonSimpleWebView", "keyboardButton", "buttonTypeSimpleWebView"),
    ("keyboardButtonUrl", "keyboardInlineButton", "inlineButtonTypeUrl"),
    ("keyboardButtonUrlAuth", "keyboardInlineButton", "inlineButtonTypeUrlAuth"),
    ("inputKeyboardButtonUrlAuth", "keyboardInlineButton", "inputInlineButtonTypeUrlAuth"),
    ("keyboardButtonWebView", "keyboardInlineButton", "inlineButtonTypeWebView"),
    ("keyboardButtonCallback", "keyboardInlineButton", "inlineButtonTypeCallback"),
    ("keyboardButtonGame", "keyboardInlineButton", "inlineButtonTypeGame"),
    ("keyboardButtonBuy", "keyboardInlineButton", "inlineButtonTypeBuy"),
    ("keyboardButtonSwitchInline", "keyboardInlineButton", "inlineButtonTypeSwitchInline"),
    ("keyboardButtonUserProfile", "keyboardInlineButton", "inlineButtonTypeUserProfile"),
    ("inputKeyboardButtonUserProfile", "keyboardInlineButton", "inputInlineButtonTypeUserProfile"),
    ("keyboardButtonCopy", "keyboardInlineButton", "inlineButtonTypeCopy"),
];

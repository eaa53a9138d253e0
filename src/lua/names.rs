//! Every name that a script finds, in one place: the stubs are generated from it, and a test holds it against the state.

/// A name in a script's world, with its arguments as the stubs show them.
#[derive(Clone, Copy, Debug)]
pub struct Name {
    /// `tg.send_message`, `message:reply`.
    pub path: &'static str,
    /// `(chat, text, options?) -> message`; empty for a value.
    pub signature: &'static str,
}

const fn name(path: &'static str, signature: &'static str) -> Name {
    Name { path, signature }
}

/// The globals of the host, and what is in them.
pub const NAMES: &[Name] = &[
    name("print", "(...)"),
    name("require", "(name) -> any"),
    name("crypto.base64_decode", "(text, kind?) -> string"),
    name("crypto.base64_encode", "(data, kind?) -> string"),
    name("crypto.equals", "(a, b) -> boolean"),
    name("crypto.hash", "(algorithm, data, encoding?) -> string"),
    name("crypto.hex_decode", "(text) -> string"),
    name("crypto.hex_encode", "(data) -> string"),
    name("crypto.hmac", "(algorithm, key, data, encoding?) -> string"),
    name("crypto.md5", "(data, encoding?) -> string"),
    name("crypto.random_bytes", "(count) -> string"),
    name("crypto.random_integer", "(low, high) -> integer"),
    name("crypto.sha1", "(data, encoding?) -> string"),
    name("crypto.sha256", "(data, encoding?) -> string"),
    name("crypto.sha512", "(data, encoding?) -> string"),
    name("crypto.uuid", "() -> string"),
    name("http.get", "(url, options?) -> response"),
    name("http.post", "(url, options?) -> response"),
    name("http.request", "(options) -> response"),
    name("json.array", "(list?) -> table"),
    name("json.decode", "(text) -> any"),
    name("json.encode", "(value, options?) -> string"),
    name("json.null", ""),
    name("json.object", "(map?) -> table"),
    name("keyboard.force_reply", "(options?) -> markup"),
    name("keyboard.inline", "(rows) -> markup"),
    name("keyboard.remove", "(options?) -> markup"),
    name("keyboard.reply", "(rows, options?) -> markup"),
    name("log.debug", "(text, ...)"),
    name("log.info", "(text, ...)"),
    name("log.warn", "(text, ...)"),
    name("log.error", "(text, ...)"),
    name("re.compile", "(pattern, flags?) -> pattern"),
    name("re.escape", "(text) -> string"),
    name("re.find", "(text, pattern, init?) -> integer?, integer?"),
    name("re.gmatch", "(text, pattern) -> iterator"),
    name("re.gsub", "(text, pattern, replacement, count?) -> string, integer"),
    name("re.match", "(text, pattern, init?) -> table?"),
    name("re.split", "(text, pattern, count?) -> string[]"),
    name("re.test", "(text, pattern) -> boolean"),
    name("script.name", ""),
    name("script.config", ""),
    name("script.state", ""),
    name("script.on_unload", "(fn)"),
    name("store.delete", "(key) -> boolean"),
    name("store.get", "(key, default?) -> any"),
    name("store.keys", "(prefix?) -> string[]"),
    name("store.set", "(key, value)"),
    name("store.update", "(key, fn) -> any"),
    name("timer.after", "(seconds, fn) -> timer"),
    name("timer.cron", "(pattern, fn, options?) -> timer"),
    name("timer.every", "(seconds, fn) -> timer"),
    name("tg.api", ""),
    name("tg.ask", "(chat, text, options?) -> message?"),
    name("tg.command", "(names, description?, filter?, fn, options?) -> handler"),
    name("tg.commands", "() -> table"),
    name("tg.continue_propagation", "()"),
    name("tg.delete_messages", "(chat, ids, options?) -> integer"),
    name("tg.edit_message_text", "(chat, id, text, options?) -> message"),
    name("tg.escape_html", "(text) -> string"),
    name("tg.escape_markdown", "(text) -> string"),
    name("tg.forward_messages", "(chat, from_chat, ids, options?) -> message|message[]"),
    name("tg.get_me", "() -> user"),
    name("tg.html", "(format, ...) -> string"),
    name("tg.in_order", "(...) -> ..."),
    name("tg.invoke", "(method, fields?) -> any"),
    name("tg.is", "(err, pattern) -> boolean"),
    name("tg.me", ""),
    name("tg.md", "(format, ...) -> string"),
    name("tg.on_callback_query", "(filter?, fn, options?) -> handler"),
    name("tg.on_deleted_messages", "(filter?, fn, options?) -> handler"),
    name("tg.on_edited_message", "(filter?, fn, options?) -> handler"),
    name("tg.on_error", "(fn, options?) -> handler"),
    name("tg.on_message", "(filter?, fn, options?) -> handler"),
    name("tg.on_raw_update", "(filter?, fn, options?) -> handler"),
    name("tg.on_start", "(fn, options?) -> handler"),
    name("tg.on_stop", "(fn, options?) -> handler"),
    name("tg.read_chat_history", "(chat, max_id?) -> boolean"),
    name("tg.resolve", "(name) -> integer"),
    name("tg.send_message", "(chat, text, options?) -> message"),
    name("tg.sleep", "(seconds)"),
    name("tg.spawn", "(fn, ...)"),
    name("tg.stop_propagation", "()"),
    name("tg.try", "(fn, ...) -> boolean, ..."),
    name("tg.wait_for", "(event, filter?, timeout?) -> any"),
    name("filters.callback_data", "(pattern, flags?) -> filter"),
    name("filters.chat", "(chats) -> filter"),
    name("filters.command", "(names, options?) -> filter"),
    name("filters.create", "(fn) -> filter"),
    name("filters.regex", "(pattern, flags?) -> filter"),
    name("filters.topic", "(topics) -> filter"),
    name("filters.user", "(users) -> filter"),
];

/// The methods of `message`; its fields are in `events::MESSAGE_FIELDS`.
pub const MESSAGE_METHODS: &[Name] = &[
    name("message:answer", "(text, options?) -> message"),
    name("message:ask", "(text, options?) -> message?"),
    name("message:delete", "(options?) -> integer"),
    name("message:edit", "(text, options?) -> message"),
    name("message:edit_text", "(text, options?) -> message"),
    name("message:forward", "(chat, options?) -> message"),
    name("message:get_reply_message", "() -> message?"),
    name("message:read", "() -> boolean"),
    name("message:reply", "(text, options?) -> message"),
    name("message:reply_text", "(text, options?) -> message"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use super::*;
    use crate::client::Client;
    use crate::lua::{Env, Inbox, ScriptSpec, load};
    use crate::net::Clock;

    /// The stubs that are written by hand: what the others have is written from the schema.
    const STUBS: [(&str, &str); 9] = [
        ("crypto", include_str!("stubs/crypto.lua")),
        ("http", include_str!("stubs/http.lua")),
        ("json", include_str!("stubs/json.lua")),
        ("keyboard", include_str!("stubs/keyboard.lua")),
        ("log", include_str!("stubs/log.lua")),
        ("re", include_str!("stubs/re.lua")),
        ("script", include_str!("stubs/script.lua")),
        ("store", include_str!("stubs/store.lua")),
        ("timer", include_str!("stubs/timer.lua")),
    ];

    /// `function re.gsub(text, pattern, replacement, count) end`, or `re.x = nil` for a value.
    #[test]
    fn every_name_of_the_library_has_its_line_in_the_stubs_with_the_same_arguments() {
        for (space, text) in STUBS {
            let lua = mlua::Lua::new();
            lua.load(text).exec().unwrap_or_else(|error| panic!("stubs/{space}.lua: {error}"));
            assert!(text.starts_with("---@meta\n"), "{space}");
            let listed: BTreeSet<String> = NAMES
                .iter()
                .filter(|name| name.path.starts_with(&format!("{space}.")))
                .map(|name| match name.signature.split_once(')') {
                    Some((arguments, _)) => format!("{}{})", name.path, arguments.replace('?', "")),
                    None => name.path.to_owned(),
                })
                .collect();
            let found: BTreeSet<String> = text
                .lines()
                .filter_map(|line| match line.strip_prefix("function ") {
                    Some(line) => line.strip_suffix(" end").map(str::to_owned),
                    None => line.strip_suffix(" = nil").map(str::to_owned),
                })
                .filter(|name| name.starts_with(&format!("{space}.")))
                .collect();
            assert_eq!(found, listed, "stubs/{space}.lua");
        }
    }

    #[tokio::test]
    async fn every_name_is_listed_and_every_listed_name_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let main = folder.path().join("names.lua");
        let code = "local found = {}
            for _, space in ipairs({'crypto', 'http', 'json', 'keyboard', 'log', 're', 'script', 'store', 'timer', 'tg', 'filters'}) do
              for name in pairs(_G[space]) do found[#found + 1] = space .. '.' .. name end
            end
            script.state.found = found";
        std::fs::write(&main, code).unwrap();
        let client = Client::detached();
        let inbox = Inbox::new(client.subscribe("names"));
        let spec = ScriptSpec::new("names", main, folder.path());
        let version = load(Arc::new(spec), Env::new(client, Clock::real()), inbox, None).await.unwrap();
        let state = version.state().await.unwrap().to_json();
        let found: BTreeSet<&str> =
            state["found"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        let plain = crate::lua::filters::NAMED.iter().map(|(name, _)| format!("filters.{name}"));
        let plain: Vec<String> = plain.collect();
        let listed = NAMES.iter().map(|name| name.path).filter(|path| path.contains('.'));
        // tg.me is made when it is read.
        let listed: BTreeSet<&str> =
            listed.chain(plain.iter().map(String::as_str)).filter(|path| *path != "tg.me").collect();
        assert_eq!(found, listed);
    }
}

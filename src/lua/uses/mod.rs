//! What a source uses of Telegram's methods, of the network and of files, as far as can be read without running it.
//!
//! The names are looked for in the tokens: `tg.NAME(…)`, `message:NAME(…)`, `tg.api.SPACE.NAME{…}`, `tg.invoke("NAME", …)`,
//! `http.…("URL", …)`.
//! A local variable that stands for the beginning of one (`local api = tg.api`) is followed. A name that is put together
//! while the script runs is not seen: the check at the call itself is what counts.

mod prelude;
mod tokens;

use std::collections::HashMap;

use self::tokens::{Token, tokens};
use super::convert::Grants;
use crate::tl::{self, Callers};

/// One thing that a script uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    pub line: usize,
    pub what: What,
}

/// What it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum What {
    /// A TL method, by its name, and by the name of the friendly function that calls it, if it was that.
    Method { name: String, by: Option<String> },
    /// A host of an `http` call.
    Host(String),
    /// A file outside of the script's data folder.
    File(String),
}

impl std::fmt::Display for What {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            What::Method { name, .. } => write!(f, "method:{name}"),
            What::Host(host) => write!(f, "http:{host}"),
            What::File(path) => write!(f, "fs:{path}"),
        }
    }
}

/// What is to be said of a use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remark {
    /// It will be refused.
    Refused(String),
    /// It may not do what is wanted.
    Warning(String),
}

/// What a source uses, in the order of its lines.
pub fn uses(source: &[u8]) -> Vec<Use> {
    let tokens = tokens(source);
    let mut scan = Scan { tokens: &tokens, aliases: HashMap::new(), found: Vec::new() };
    let mut at = 0;
    while at < tokens.len() {
        at = scan.step(at);
    }
    scan.found
}

/// What is to be said of a use, by the script's grants; `is_bot` where it is known that the account is one, or not.
pub fn remark(what: &What, allow: &[String], is_bot: Option<bool>) -> Option<Remark> {
    match what {
        What::Method { name, by } => {
            let definition = tl::function(name)?;
            let through = by.as_ref().map_or(String::new(), |by| format!(" (by {by})"));
            if let Err(refusal) = Grants::new(allow).check(definition) {
                return Some(Remark::Refused(format!("{refusal}{through}")));
            }
            let callers = tl::method(name)?.callers;
            match (is_bot, callers) {
                (Some(true), Callers::User) => Some(Remark::Warning(format!(
                    "{name}{through} is for user accounts: a bot gets BOT_METHOD_INVALID"
                ))),
                (Some(false), Callers::Bot) => {
                    Some(Remark::Warning(format!("{name}{through} is for bots: a user account gets USER_BOT_REQUIRED")))
                }
                _ => None,
            }
        }
        What::Host(host) => missing(allow, &format!("http:{host}")),
        What::File(path) => missing(allow, &format!("fs:{path}")),
    }
}

/// Grants of hosts and files are kept where they are used; here an equal one, or one that ends with `*` or is a folder above,
/// will do.
fn missing(allow: &[String], wanted: &str) -> Option<Remark> {
    let is_granted = allow.iter().any(|grant| match grant.strip_suffix('*') {
        Some(start) => wanted.starts_with(start),
        None => {
            grant == wanted
                || grant.strip_prefix("fs-write:").is_some_and(|path| wanted.strip_prefix("fs:") == Some(path))
                || wanted
                    .strip_prefix(grant.as_str())
                    .is_some_and(|rest| grant.starts_with("fs:") && rest.starts_with('/'))
                || grant.strip_prefix("http:*.").is_some_and(|domain| wanted.ends_with(&format!(".{domain}")))
        }
    });
    let refusal = format!("{wanted} needs a grant: allow = [\"{wanted}\"] in moongram.toml");
    (!is_granted).then_some(Remark::Refused(refusal))
}

struct Scan<'t> {
    tokens: &'t [(Token, usize)],
    /// Local variables that stand for a path: `api` for `tg.api`.
    aliases: HashMap<String, Vec<String>>,
    found: Vec<Use>,
}

impl Scan<'_> {
    /// Looks at what begins at a token; where to look next.
    fn step(&mut self, at: usize) -> usize {
        let is_field = at > 0 && matches!(&self.tokens[at - 1].0, Token::Other("." | ":"));
        if is_field || !matches!(self.tokens[at].0, Token::Name(_)) {
            return at + 1;
        }
        let line = self.tokens[at].1;
        let (path, end) = self.path(at);
        self.note_alias(at, &path, end);
        let names: Vec<&str> = path.iter().map(String::as_str).collect();
        match names.as_slice() {
            ["tg", "invoke"] => {
                if let Some((name, _)) = self.argument(end) {
                    self.method(name, None, line);
                }
            }
            ["tg", "api", rest @ ..] if !rest.is_empty() => self.method(rest.join("."), None, line),
            ["tg", name] => {
                for method in prelude::methods_of(name) {
                    self.method(method.to_owned(), Some(format!("tg.{name}")), line);
                }
                if name.starts_with("send_") {
                    self.file_argument(end, line);
                }
            }
            ["http", _] => self.host(end, line),
            ["message" | "msg" | "m"] => self.method_of_message(end, line),
            _ => {}
        }
        end
    }

    /// `a.b.c` from a name on, with what its first name stands for, and where it ends. A name in brackets that is a string
    /// counts, too.
    fn path(&self, at: usize) -> (Vec<String>, usize) {
        let Token::Name(first) = &self.tokens[at].0 else { return (Vec::new(), at + 1) };
        let mut path = self.aliases.get(first).cloned().unwrap_or_else(|| vec![first.clone()]);
        let mut end = at + 1;
        loop {
            match (self.token(end), self.token(end + 1)) {
                (Some(Token::Other(".")), Some(Token::Name(name))) => {
                    path.push(name.clone());
                    end += 2;
                }
                (Some(Token::Other("[")), Some(Token::Text(name))) => {
                    path.push(name.clone());
                    end += 3;
                }
                _ => return (path, end),
            }
        }
    }

    fn token(&self, at: usize) -> Option<&Token> {
        self.tokens.get(at).map(|(token, _)| token)
    }

    /// `local NAME = path`, where the path is `tg`, `tg.api…` or `http` and nothing is called.
    fn note_alias(&mut self, at: usize, path: &[String], end: usize) {
        let is_call = matches!(self.token(end), Some(Token::Other("(" | "{" | ":") | Token::Text(_)));
        let is_known = matches!(path.first().map(String::as_str), Some("tg" | "http"));
        if at < 3 || is_call || !is_known {
            return;
        }
        if let [(Token::Name(local), _), (Token::Name(name), _), (Token::Other("="), _)] = &self.tokens[at - 3..at]
            && local == "local"
        {
            self.aliases.insert(name.clone(), path.to_vec());
        }
    }

    /// The string that is the first argument of a call, and where it stands.
    fn argument(&self, call: usize) -> Option<(String, usize)> {
        let at = if matches!(self.token(call), Some(Token::Other("("))) { call + 1 } else { call };
        match self.token(at) {
            // One that is joined to something is not all of it.
            Some(Token::Text(text)) if !matches!(self.token(at + 1), Some(Token::Other(".."))) => {
                Some((text.clone(), at))
            }
            _ => None,
        }
    }

    /// `message:NAME(…)`, where the variable is called as everybody calls it.
    fn method_of_message(&mut self, colon: usize, line: usize) {
        if let (Some(Token::Other(":")), Some(Token::Name(name))) = (self.token(colon), self.token(colon + 1)) {
            let by = format!("message:{name}");
            for method in prelude::methods_of_message(name) {
                self.method(method.to_owned(), Some(by.clone()), line);
            }
        }
    }

    fn method(&mut self, name: String, by: Option<String>, line: usize) {
        // A namespace alone calls nothing yet.
        if tl::function(&name).is_some() {
            self.found.push(Use { line, what: What::Method { name, by } });
        }
    }

    /// The host of the URL that a call begins with, or that stands in its table under `url`.
    fn host(&mut self, call: usize, line: usize) {
        let url = match self.token(call) {
            Some(Token::Other("{")) => self.field(call, "url"),
            Some(Token::Other("(")) if matches!(self.token(call + 1), Some(Token::Other("{"))) => {
                self.field(call + 1, "url")
            }
            // The host is known even where a path is joined to it.
            Some(Token::Other("(")) => self.token(call + 1).and_then(|token| match token {
                Token::Text(text) => Some(text.clone()),
                _ => None,
            }),
            Some(Token::Text(text)) => Some(text.clone()),
            _ => None,
        };
        let Some(host) = url.as_deref().and_then(host_of) else { return };
        self.found.push(Use { line, what: What::Host(host) });
    }

    fn field(&self, table: usize, name: &str) -> Option<String> {
        let mut at = table + 1;
        while let Some(token) = self.token(at) {
            match (token, self.token(at + 1), self.token(at + 2)) {
                (Token::Name(key), Some(Token::Other("=")), Some(Token::Text(text))) if key == name => {
                    return Some(text.clone());
                }
                (Token::Other("{"), ..) => return None,
                _ => at += 1,
            }
        }
        None
    }

    /// A path that leads out of the data folder, as the second argument: `tg.send_photo(chat, "/srv/cat.png")`.
    fn file_argument(&mut self, call: usize, line: usize) {
        if !matches!(self.token(call), Some(Token::Other("("))) {
            return;
        }
        let mut depth = 0;
        let mut at = call + 1;
        while let Some(token) = self.token(at) {
            let opens = matches!(token, Token::Other("(" | "{"));
            match token {
                Token::Text(path) if depth == 0 && at > call + 1 && path.starts_with('/') => {
                    self.found.push(Use { line, what: What::File(path.clone()) });
                    return;
                }
                Token::Name(word) if depth == 0 && matches!(word.as_str(), "end" | "local" | "function") => return,
                _ => {}
            }
            depth += usize::from(opens);
            at += 1;
            if at > call + 8 {
                return;
            }
        }
    }
}

/// `https://api.example.com:8080/x` → `api.example.com`.
fn host_of(url: &str) -> Option<String> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    let host = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next()?,
        None => host.split(':').next()?,
    };
    (!host.is_empty()).then(|| host.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(source: &str, expected: &[(usize, &str)]) {
        let shown: Vec<(usize, String)> =
            uses(source.as_bytes()).iter().map(|u| (u.line, u.what.to_string())).collect();
        let expected: Vec<(usize, String)> = expected.iter().map(|(line, what)| (*line, (*what).to_owned())).collect();
        assert_eq!(shown, expected, "{source}");
    }

    #[test]
    fn each_way_to_call_a_method_is_seen() {
        check("tg.invoke('messages.sendMessage', {})", &[(1, "method:messages.sendMessage")]);
        check("\ntg.invoke[[account.getPassword]]", &[(2, "method:account.getPassword")]);
        check("tg.api.users.getFullUser{ id = 1 }", &[(1, "method:users.getFullUser")]);
        check("pcall(tg.api.account.getPassword)", &[(1, "method:account.getPassword")]);
        check("tg.api['account']['getPassword']()", &[(1, "method:account.getPassword")]);
        check("local api = tg.api\napi.account.getPassword{}", &[(2, "method:account.getPassword")]);
        check("local a = tg.api.account\na.getPassword{}", &[(2, "method:account.getPassword")]);
        check("tg.send_message(1, 'x')", &[(1, "method:messages.sendMessage")]);
        check("message:reply('x') file:read()", &[(1, "method:messages.sendMessage")]);
    }

    #[test]
    fn what_only_looks_like_a_call_is_none() {
        for source in [
            "-- tg.api.account.getPassword{}",
            "print('tg.api.account.getPassword')",
            "x.tg.api.account.getPassword()",
            "tg.invoke('account.' .. name)",
            "tg.invoke(name)",
            "tg.api.no.such()",
            "local y = tg.on_message",
        ] {
            check(source, &[]);
        }
    }

    #[test]
    fn hosts_and_files_are_seen() {
        check("http.get('https://api.example.com/x?y')", &[(1, "http:api.example.com")]);
        check("http.get('https://API.example.com:8080/' .. id)", &[(1, "http:api.example.com")]);
        check("http.request{ method = 'PUT',\n url = 'http://u:p@h.example/' }", &[(1, "http:h.example")]);
        check("http.get(url)", &[]);
        check("local get = http.get\nget('https://[::1]/')", &[(2, "http:::1")]);
    }

    #[test]
    fn what_is_not_granted_is_told_with_its_grant() {
        let method = |name: &str| What::Method { name: name.into(), by: None };
        let refusal = |what: &What, allow: &[&str]| {
            let allow: Vec<String> = allow.iter().map(|grant| (*grant).to_owned()).collect();
            remark(what, &allow, Some(true))
        };
        assert_eq!(refusal(&method("messages.sendMessage"), &[]), None);
        let said = |remark: Option<Remark>| match remark {
            Some(Remark::Refused(text) | Remark::Warning(text)) => text,
            None => panic!("nothing was said"),
        };
        assert!(said(refusal(&method("account.getPassword"), &[])).contains("method:account.getPassword"));
        assert!(said(refusal(&method("auth.logOut"), &["method:*"])).contains("cannot be called by scripts"));
        assert!(said(refusal(&method("messages.getHistory"), &[])).contains("BOT_METHOD_INVALID"));
        let host = What::Host("api.example.com".into());
        assert!(said(refusal(&host, &["http:example.com"])).contains("allow = [\"http:api.example.com\"]"));
        for allow in ["http:api.example.com", "http:*", "http:*.example.com"] {
            assert_eq!(refusal(&host, &[allow]), None, "{allow}");
        }
        assert_eq!(refusal(&What::File("/srv/a/b.png".into()), &["fs:/srv/a"]), None);
        assert!(refusal(&What::File("/srv/ab.png".into()), &["fs:/srv/a"]).is_some());
    }
}

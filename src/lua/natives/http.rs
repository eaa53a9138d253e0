//! Natives of `prelude/http.lua`.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use data_encoding::BASE64;
use mlua::{Lua, LuaString, Table, Value};
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, SET_COOKIE};
use url::Url;

use super::calls::may_wait;
use super::tasks::duration;
use super::{Answer, Natives, place};
use crate::lua::data::DataFolder;
use crate::lua::http::{Body, Failure, Fetched, Head, Part, Request, Running, Web, WebGrants};
use crate::lua::outside::{Held, Outside};
use crate::lua::runtime::{Outcome, Runtime, Wait};

const TIMEOUT: f64 = 30.0;
const MAX_TIMEOUT: f64 = 600.0;
const REDIRECTS: i64 = 5;
const MAX_REDIRECTS: i64 = 20;
/// Bytes of a body in memory, and in a file.
const MAX_BODY: i64 = 8 << 20;
const MAX_FILE: i64 = 256 << 20;
const MAX_URL: usize = 64 << 10;

/// What says how the bytes are sent is ours to say, and to whom they go is what was granted.
const NOT_A_SCRIPTS: [&str; 10] = [
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "upgrade",
    "te",
    "trailer",
    "expect",
    "keep-alive",
    "proxy-authorization",
];

pub(super) fn install(natives: &Natives) -> mlua::Result<()> {
    let runtime = natives.runtime;
    let web = Web::new(runtime.env.http.clone(), WebGrants::new(&runtime.spec.allow), runtime.env.clock.clone());
    let open = Rc::new(Cell::new(0));
    natives.add("http", move |lua, runtime, (what, given): (LuaString, Table)| -> Answer<u64> {
        let what = what.to_string_lossy();
        let request = may_wait(runtime, &what)
            .and_then(|()| read(runtime, &given).map_err(|problem| format!("{what}: {problem}")))
            .and_then(|request| Ok((Open::new(&open, runtime.spec.limits.requests, &what)?, request)));
        let (open, request) = match request {
            Ok(request) => request,
            Err(problem) => return Ok(Err(problem)),
        };
        // A string of Lua's, and its copy on the way.
        let held = match runtime.outside.hold(lua, request.body.as_ref().map_or(0, Bytes::len)) {
            Ok(held) => held,
            Err(problem) => return Ok(Err(format!("{what}: {problem}"))),
        };
        let (web, weak, this, place) = (web.clone(), lua.weak(), runtime.clone(), place(lua));
        Ok(Ok(runtime.begin(Wait::Call, async move {
            let _open = (open, held);
            let result = match web.begin(request) {
                Ok(mut running) => gather(&mut running, &weak, &this.outside).await,
                Err(failure) => Err(failure),
            };
            let outcome: Outcome = Box::new(move |lua, runtime| match result {
                Ok(answer) => Ok(Ok(Value::Table(answer.into_table(lua, runtime)?))),
                Err(Failure { name, text }) => {
                    let fields = lua.create_table()?;
                    fields.raw_set("name", name)?;
                    fields.raw_set("text", format!("{what}: {text}"))?;
                    fields.raw_set("place", place)?;
                    Ok(Err(runtime.prelude()?.make_error.call(fields)?))
                }
            });
            outcome
        })))
    })
}

/// One of the requests that a script may have open.
struct Open(Rc<Cell<usize>>);

impl Open {
    fn new(open: &Rc<Cell<usize>>, limit: usize, what: &str) -> Result<Open, String> {
        if open.get() >= limit {
            return Err(format!("{what}: {limit} requests are open already (limits.requests)"));
        }
        open.set(open.get() + 1);
        Ok(Open(open.clone()))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// An answer, its body counted towards the script's memory.
struct Gathered {
    head: Head,
    body: Vec<u8>,
    end: Fetched,
    _held: Option<Held>,
}

async fn gather(running: &mut Running, lua: &mlua::WeakLua, outside: &Outside) -> Result<Gathered, Failure> {
    let (mut head, mut body, mut held) = (None, Vec::new(), None);
    while let Some(part) = running.parts.recv().await {
        match part {
            Part::Head(found) => head = Some(found),
            Part::Piece(piece) => {
                let wanted = body.len() + piece.len();
                if wanted > body.capacity() {
                    let room = wanted.max(2 * body.capacity()).max(16 << 10);
                    let lua = lua.try_upgrade().ok_or_else(|| Failure::new("HTTP_FAILED", "the script is gone"))?;
                    let more = outside.hold(&lua, room).map_err(|problem| {
                        let text = format!("{problem}, and the body has more than {} bytes", body.len());
                        Failure::new("HTTP_TOO_LARGE", text)
                    })?;
                    body.reserve_exact(room - body.len());
                    held = Some(more);
                }
                body.extend_from_slice(&piece);
            }
        }
    }
    let end = running.end().await?;
    let head = head.ok_or_else(|| Failure::new("HTTP_FAILED", "an answer without a head"))?;
    Ok(Gathered { head, body, end, _held: held })
}

impl Gathered {
    fn into_table(self, lua: &Lua, runtime: &Runtime) -> mlua::Result<Table> {
        let answer = lua.create_table()?;
        answer.raw_set("status", self.head.status)?;
        answer.raw_set("ok", (200..300).contains(&self.head.status))?;
        answer.raw_set("url", self.head.url)?;
        answer.raw_set("headers", headers_table(lua, &self.head.headers)?)?;
        answer.raw_set("size", self.end.length)?;
        if !self.end.is_in_file {
            runtime.budget.steps().charge(self.end.length / 4)?;
            answer.raw_set("body", lua.create_string(self.body)?)?;
        }
        Ok(answer)
    }
}

/// Names in lower case; what came more than once is joined as RFC 9110 has it, but for cookies, which have commas of their own:
/// these are lines.
fn headers_table(lua: &Lua, headers: &HeaderMap) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    for name in headers.keys() {
        let values: Vec<&[u8]> = headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
        let separator: &[u8] = if name == SET_COOKIE { b"\n" } else { b", " };
        table.raw_set(name.as_str(), lua.create_string(values.join(separator))?)?;
    }
    Ok(table)
}

// What the script gave. The prelude has checked the names of the options, and made the body.

fn read(runtime: &Runtime, given: &Table) -> Result<Request, String> {
    let mut url = text(given, "url")?.ok_or("the url is missing")?;
    if url.len() > MAX_URL {
        return Err(format!("a URL has at most {MAX_URL} bytes"));
    }
    if !url.contains("://") {
        url = format!("the url {url:?} does not begin with https:// or http://");
        return Err(url);
    }
    let mut url = Url::parse(&url).map_err(|error| format!("the url is none: {error}"))?;
    let mut headers = headers(given)?;
    if let Some(login) = login(given, &mut url)? {
        headers.insert(AUTHORIZATION, login);
    }
    let query = pairs(given, "query")?;
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    let form = table(given, "form")?.is_some();
    let body = if form { Some(form_body(&pairs(given, "form")?)) } else { bytes(given, "body")? };
    let content_type =
        if form { Some("application/x-www-form-urlencoded".to_owned()) } else { text(given, "content_type")? };
    if let Some(content_type) = content_type
        && !headers.contains_key(CONTENT_TYPE)
    {
        headers.insert(CONTENT_TYPE, value_of("content-type", content_type.as_bytes())?);
    }
    let to = bytes(given, "to")?;
    let usual = if to.is_some() { MAX_FILE } else { MAX_BODY };
    let max_body = integer(given, "max_body", usual, i64::MAX)? as u64;
    let to = match to {
        None => Body::Memory,
        Some(path) => Body::File {
            folder: DataFolder::new(&runtime.spec, &runtime.env.places),
            path: path.to_vec(),
            max_failure: MAX_BODY as u64,
        },
    };
    Ok(Request {
        method: method(given, body.is_some())?,
        url,
        headers,
        body,
        timeout: timeout(given)?,
        redirects: integer(given, "redirects", REDIRECTS, MAX_REDIRECTS)? as u32,
        max_body,
        to,
    })
}

fn method(given: &Table, has_body: bool) -> Result<Method, String> {
    let name = match text(given, "method")? {
        Some(name) => name.to_ascii_uppercase(),
        None if has_body => "POST".into(),
        None => "GET".into(),
    };
    let method = Method::from_bytes(name.as_bytes()).map_err(|_| format!("{name:?} is not a method"))?;
    if method == Method::CONNECT || method == Method::TRACE {
        return Err(format!("the method {method} is not for scripts"));
    }
    if has_body && (method == Method::GET || method == Method::HEAD) {
        return Err(format!("{method} has no body; method = \"POST\" or another has one"));
    }
    Ok(method)
}

fn timeout(given: &Table) -> Result<Duration, String> {
    let seconds: Value = given.raw_get("timeout").map_err(|error| error.to_string())?;
    let seconds = if seconds.is_nil() { Value::Number(TIMEOUT) } else { seconds };
    let time = duration("timeout", &seconds)?;
    if time.is_zero() || time.as_secs_f64() > MAX_TIMEOUT {
        return Err(format!("timeout is more than 0 and at most {MAX_TIMEOUT} s"));
    }
    Ok(time)
}

fn headers(given: &Table) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs(given, "headers")? {
        let shown = name.to_ascii_lowercase();
        if NOT_A_SCRIPTS.contains(&shown.as_str()) {
            return Err(format!("the header {shown} is not a script's to set"));
        }
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("{name:?} is not a header's name"))?;
        headers.append(name, value_of(&shown, value.as_bytes())?);
    }
    Ok(headers)
}

/// What a header says. It is not repeated in an error: it may be a secret.
fn value_of(name: &str, value: &[u8]) -> Result<HeaderValue, String> {
    HeaderValue::from_bytes(value).map_err(|_| format!("the value of the header {name} has a control character"))
}

/// The `Authorization` by `bearer`, by `user` and `password`, or by what stands in the URL, which loses it.
fn login(given: &Table, url: &mut Url) -> Result<Option<HeaderValue>, String> {
    let basic = |user: &[u8], password: &[u8]| format!("Basic {}", BASE64.encode(&[user, b":", password].concat()));
    let (bearer, user, password) = (text(given, "bearer")?, text(given, "user")?, text(given, "password")?);
    let login = match (bearer, user, password) {
        (Some(_), Some(_), _) => return Err("bearer and user are two ways of saying who asks: give one".into()),
        (Some(bearer), None, _) => Some(format!("Bearer {bearer}")),
        (None, Some(user), password) => Some(basic(user.as_bytes(), password.unwrap_or_default().as_bytes())),
        (None, None, Some(_)) => return Err("a password needs a user".into()),
        (None, None, None) if url.username().is_empty() && url.password().is_none() => None,
        (None, None, None) => {
            let decoded = |text: &str| percent_decoded(text);
            Some(basic(&decoded(url.username()), &decoded(url.password().unwrap_or_default())))
        }
    };
    // Not to be seen in the answer's url. Neither fails for a URL with a host.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    login
        .map(|login| {
            let mut value = value_of("authorization", login.as_bytes())?;
            value.set_sensitive(true);
            Ok(value)
        })
        .transpose()
}

fn percent_decoded(text: &str) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let digits = after.get(..2).filter(|_| *byte == b'%').and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(escaped) => {
                decoded.push(escaped);
                rest = &after[2..];
            }
            None => {
                decoded.push(*byte);
                rest = after;
            }
        }
    }
    decoded
}

fn form_body(pairs: &[(String, String)]) -> Bytes {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish().into()
}

fn get(given: &Table, name: &str) -> Result<Value, String> {
    given.raw_get(name).map_err(|error| error.to_string())
}

fn bytes(given: &Table, name: &str) -> Result<Option<Bytes>, String> {
    match get(given, name)? {
        Value::Nil => Ok(None),
        Value::String(text) => Ok(Some(Bytes::copy_from_slice(&text.as_bytes()))),
        other => Err(format!("{name} is a string, got {}", super::type_of(&other))),
    }
}

fn text(given: &Table, name: &str) -> Result<Option<String>, String> {
    let Some(bytes) = bytes(given, name)? else { return Ok(None) };
    let text = std::str::from_utf8(&bytes).map_err(|_| format!("{name} is not UTF-8"))?;
    Ok(Some(text.to_owned()))
}

fn table(given: &Table, name: &str) -> Result<Option<Table>, String> {
    match get(given, name)? {
        Value::Nil => Ok(None),
        Value::Table(table) => Ok(Some(table)),
        other => Err(format!("{name} is a table, got {}", super::type_of(&other))),
    }
}

fn integer(given: &Table, name: &str, usual: i64, most: i64) -> Result<i64, String> {
    match get(given, name)? {
        Value::Nil => Ok(usual),
        Value::Integer(number) if (0..=most).contains(&number) => Ok(number),
        Value::Integer(number) if most < i64::MAX => Err(format!("{name} is from 0 to {most}, got {number}")),
        _ => Err(format!("{name} is an integer of at least 0")),
    }
}

/// The pairs of a table of names, sorted; a list as a value is the name more than once.
fn pairs(given: &Table, name: &str) -> Result<Vec<(String, String)>, String> {
    let Some(table) = table(given, name)? else { return Ok(Vec::new()) };
    let mut pairs = Vec::new();
    let mut problem = None;
    let each = |key: Value, value: Value| {
        let Value::String(key) = &key else {
            problem = Some(format!("{name} has names as its keys, got a {}", super::type_of(&key)));
            return Ok(());
        };
        let key = key.to_string_lossy();
        let values = match value {
            Value::Table(list) => list.sequence_values::<Value>().collect::<mlua::Result<Vec<Value>>>()?,
            value => vec![value],
        };
        for value in values {
            match shown(&value) {
                Some(value) => pairs.push((key.clone(), value)),
                None => problem = Some(format!("{name}.{key} is a {}, not a text", super::type_of(&value))),
            }
        }
        Ok(())
    };
    table.for_each(each).map_err(|error| error.to_string())?;
    pairs.sort_by(|(a, _), (b, _)| a.cmp(b));
    problem.map_or(Ok(pairs), Err)
}

fn shown(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => text.to_str().ok().map(|text| text.to_owned()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::Boolean(flag) => Some(flag.to_string()),
        _ => None,
    }
}

//! The way to a DC: straight, or through a proxy, as an operator writes it down.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use crate::mtproto::mtproxy::{Secret, SecretError};

/// How to reach a DC. `Display` and `Debug` are the link that it was read from, with stars for password and secret.
#[derive(Clone, PartialEq, Eq, Default)]
pub enum Via {
    #[default]
    Direct,
    Socks5 {
        proxy: Place,
        login: Option<Login>,
    },
    /// HTTP CONNECT.
    Http {
        proxy: Place,
        login: Option<Login>,
    },
    MtProxy {
        proxy: Place,
        secret: Secret,
    },
}

/// A name or an address, and a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// Without the brackets that IPv6 addresses have in links.
    pub host: String,
    pub port: u16,
}

/// Who one is to a proxy.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    pub user: String,
    pub password: String,
}

/// What is wrong with a link to a proxy. None of these repeats any of it, as anything may be a password gone astray.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ViaError {
    #[error("a proxy begins with socks5://, http:// or mtproxy://, or is a link that Telegram shares")]
    Scheme,
    #[error("the proxy has no host")]
    NoHost,
    #[error("the proxy has no port, as in host:1080")]
    NoPort,
    #[error(
        "the proxy's port is not a number from 1 to 65535; a : @ or / in a user or password is written %3A %40 %2F"
    )]
    Port,
    #[error(
        "the proxy's host has characters that no name has; a : @ or / in a user or password is written %3A %40 %2F"
    )]
    Host,
    #[error("a % in the proxy is not followed by the two hexadecimal digits of a character of UTF-8")]
    Percent,
    #[error("the {0} of the proxy has more than 255 bytes or none")]
    LoginLength(&'static str),
    #[error("the proxy has something after its port that has no meaning there")]
    Rest,
    #[error("an MTProxy has a secret, as in mtproxy://host:443?secret=…")]
    NoSecret,
    #[error(transparent)]
    Secret(#[from] SecretError),
}

impl Via {
    /// Reads `direct`, `socks5://user:password@host:port`, `http://user:password@host:port`,
    /// `mtproxy://host:port?secret=…`, and the links that Telegram's apps share: `tg://proxy?…`, `https://t.me/proxy?…`,
    /// `tg://socks?…`, `https://t.me/socks?…` (<https://core.telegram.org/api/links#mtproxy-links>).
    pub fn parse(link: &str) -> Result<Via, ViaError> {
        let link = link.trim();
        if link.eq_ignore_ascii_case("direct") {
            return Ok(Via::Direct);
        }
        let (scheme, rest) = link.split_once("://").ok_or(ViaError::Scheme)?;
        match scheme.to_ascii_lowercase().as_str() {
            // A name is always resolved by the proxy, which others mean by the `h`.
            "socks5" | "socks5h" => {
                let (proxy, login) = with_login(rest)?;
                Ok(Via::Socks5 { proxy, login })
            }
            "http" => {
                let (proxy, login) = with_login(rest)?;
                Ok(Via::Http { proxy, login })
            }
            "mtproxy" => {
                let (place, query) = rest.split_once('?').ok_or(ViaError::NoSecret)?;
                let proxy = place_of(place.strip_suffix('/').unwrap_or(place))?;
                Ok(Via::MtProxy { proxy, secret: Query::parse(query)?.secret()? })
            }
            "tg" => shared(rest),
            "https" => {
                let path = ["t.me/", "telegram.me/", "telegram.dog/"].iter().find_map(|host| rest.strip_prefix(host));
                shared(path.ok_or(ViaError::Scheme)?)
            }
            _ => Err(ViaError::Scheme),
        }
    }

    /// The proxy, for messages: `socks5://host:port`, without user and secret.
    pub(super) fn name(&self) -> String {
        match self {
            Via::Direct => "direct".to_owned(),
            Via::Socks5 { proxy, .. } => format!("socks5://{proxy}"),
            Via::Http { proxy, .. } => format!("http://{proxy}"),
            Via::MtProxy { proxy, .. } => format!("mtproxy://{proxy}"),
        }
    }
}

impl FromStr for Via {
    type Err = ViaError;

    fn from_str(link: &str) -> Result<Via, ViaError> {
        Via::parse(link)
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let login = |login: &Option<Login>| login.as_ref().map(|login| format!("{login}@")).unwrap_or_default();
        match self {
            Via::Direct => f.write_str("direct"),
            Via::Socks5 { proxy, login: who } => write!(f, "socks5://{}{proxy}", login(who)),
            Via::Http { proxy, login: who } => write!(f, "http://{}{proxy}", login(who)),
            Via::MtProxy { proxy, .. } => write!(f, "mtproxy://{proxy}?secret=***"),
        }
    }
}

impl fmt::Debug for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:***", self.user.escape_debug())
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// `proxy?server=…&port=…&secret=…` and `socks?server=…&port=…&user=…&pass=…`.
fn shared(rest: &str) -> Result<Via, ViaError> {
    let (kind, query) = rest.split_once('?').ok_or(ViaError::Scheme)?;
    let query = Query::parse(query)?;
    let kind = kind.trim_end_matches('/');
    if !["proxy", "socks"].contains(&kind) {
        return Err(ViaError::Scheme);
    }
    let host = query.get("server").ok_or(ViaError::NoHost)?;
    let port = query.get("port").ok_or(ViaError::NoPort)?;
    let proxy = Place { host: check_host(host)?, port: check_port(port)? };
    if kind == "proxy" {
        return Ok(Via::MtProxy { proxy, secret: query.secret()? });
    }
    let login = match (query.get("user"), query.get("pass")) {
        (None | Some(""), _) => None,
        (Some(user), password) => Some(check_login(user.to_owned(), password.unwrap_or_default().to_owned())?),
    };
    Ok(Via::Socks5 { proxy, login })
}

/// What stands behind the question mark, decoded.
struct Query(Vec<(String, String)>);

impl Query {
    fn parse(query: &str) -> Result<Query, ViaError> {
        let pair = |pair: &str| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode(key)?, decode(value)?))
        };
        let query = query.split_once('#').map_or(query, |(query, _)| query);
        query.split('&').map(pair).collect::<Result<_, _>>().map(Query)
    }

    fn get(&self, wanted: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == wanted).map(|(_, value)| value.as_str())
    }

    fn secret(&self) -> Result<Secret, ViaError> {
        Ok(Secret::parse(self.get("secret").ok_or(ViaError::NoSecret)?)?)
    }
}

/// `user:password@host:port`, the first half optional.
fn with_login(rest: &str) -> Result<(Place, Option<Login>), ViaError> {
    // Behind the last @, as some passwords are written with one.
    let Some((login, place)) = rest.rsplit_once('@') else {
        return Ok((place_of(rest.strip_suffix('/').unwrap_or(rest))?, None));
    };
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    let login = check_login(decode(user)?, decode(password)?)?;
    Ok((place_of(place.strip_suffix('/').unwrap_or(place))?, Some(login)))
}

fn place_of(text: &str) -> Result<Place, ViaError> {
    if text.contains(['/', '?', '#']) {
        return Err(ViaError::Rest);
    }
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or(ViaError::Host)?;
            host.parse::<Ipv6Addr>().map_err(|_| ViaError::Host)?;
            (host, if port.is_empty() { None } else { Some(port.strip_prefix(':').ok_or(ViaError::Port)?) })
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let host = check_host(host)?;
    Ok(Place { host, port: check_port(port.ok_or(ViaError::NoPort)?)? })
}

fn check_host(host: &str) -> Result<String, ViaError> {
    match host {
        "" => Err(ViaError::NoHost),
        _ if host.parse::<Ipv6Addr>().is_ok() => Ok(host.to_owned()),
        _ if host.len() <= 253 && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte)) => {
            Ok(host.to_owned())
        }
        _ => Err(ViaError::Host),
    }
}

fn check_port(port: &str) -> Result<u16, ViaError> {
    if port.is_empty() {
        return Err(ViaError::NoPort);
    }
    // `parse` would take a plus sign.
    let digits = port.bytes().all(|byte| byte.is_ascii_digit());
    port.parse().ok().filter(|port| digits && *port > 0).ok_or(ViaError::Port)
}

/// SOCKS5 has a byte for the length of each: <https://www.rfc-editor.org/rfc/rfc1929>.
fn check_login(user: String, password: String) -> Result<Login, ViaError> {
    for (what, text) in [("user", &user), ("password", &password)] {
        if !(1..=255).contains(&text.len()) {
            return Err(ViaError::LoginLength(what));
        }
    }
    Ok(Login { user, password })
}

/// Percent-encoding: <https://www.rfc-editor.org/rfc/rfc3986#section-2.1>.
fn decode(text: &str) -> Result<String, ViaError> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        match (digit(), digit()) {
            (Some(high), Some(low)) => decoded.push((high << 4 | low) as u8),
            _ => return Err(ViaError::Percent),
        }
    }
    String::from_utf8(decoded).map_err(|_| ViaError::Percent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(host: &str, port: u16) -> Place {
        Place { host: host.to_owned(), port }
    }

    fn login(user: &str, password: &str) -> Option<Login> {
        Some(Login { user: user.to_owned(), password: password.to_owned() })
    }

    #[test]
    fn links_are_read_in_every_form() {
        let check = |link: &str, via: Via| assert_eq!(Via::parse(link), Ok(via), "{link}");
        check("direct", Via::Direct);
        check("socks5://127.0.0.1:1080", Via::Socks5 { proxy: place("127.0.0.1", 1080), login: None });
        check("SOCKS5://[::1]:1080/", Via::Socks5 { proxy: place("::1", 1080), login: None });
        let with_login = Via::Socks5 { proxy: place("proxy.example", 9), login: login("ann", "p@ss:w%rd") };
        check("socks5://ann:p%40ss%3aw%25rd@proxy.example:9", with_login.clone());
        check("socks5h://ann:p@ss:w%25rd@proxy.example:9", with_login);
        check("http://ann:x@h:8080", Via::Http { proxy: place("h", 8080), login: login("ann", "x") });
        let secret = Secret::Padded([0x11; 16]);
        let mtproxy = Via::MtProxy { proxy: place("proxy.example", 443), secret };
        let hex = format!("dd{}", "11".repeat(16));
        check(&format!("mtproxy://proxy.example:443?secret={hex}"), mtproxy.clone());
        check(&format!("mtproxy://proxy.example:443/?secret={hex}"), mtproxy.clone());
        check(&format!("tg://proxy?server=proxy.example&port=443&secret={hex}"), mtproxy.clone());
        check(&format!("https://t.me/proxy?server=proxy.example&port=443&secret={hex}"), mtproxy);
        let socks = Via::Socks5 { proxy: place("1.2.3.4", 1080), login: login("ann", "x y") };
        check("tg://socks?server=1.2.3.4&port=1080&user=ann&pass=x%20y", socks);
        let socks = Via::Socks5 { proxy: place("1.2.3.4", 1080), login: None };
        check("https://t.me/socks?server=1.2.3.4&port=1080", socks);
    }

    #[test]
    fn an_error_says_what_is_wrong_with_a_link() {
        let check = |link: &str, error: ViaError| assert_eq!(Via::parse(link), Err(error), "{link}");
        check("", ViaError::Scheme);
        check("1.2.3.4:1080", ViaError::Scheme);
        check("ftp://h:1", ViaError::Scheme);
        check("https://example.org/proxy?server=a", ViaError::Scheme);
        check("https://t.me/joinchat?x=y", ViaError::Scheme);
        check("socks5://:1080", ViaError::NoHost);
        check("socks5://h", ViaError::NoPort);
        check("socks5://h:", ViaError::NoPort);
        check("socks5://h:0", ViaError::Port);
        check("socks5://h:65536", ViaError::Port);
        check("socks5://h:+80", ViaError::Port);
        check("socks5://::1:1080", ViaError::NoHost);
        check("socks5://[::1:1080", ViaError::Host);
        check("socks5://a b:1080", ViaError::Host);
        check("socks5://a/b@h:1080/x", ViaError::LoginLength("password"));
        check("socks5://h:1080/x", ViaError::Rest);
        check("socks5://%zz:x@h:1080", ViaError::Percent);
        check("socks5://%ff:x@h:1080", ViaError::Percent);
        check("http://ann:@h:1", ViaError::LoginLength("password"));
        check(&format!("http://{}:x@h:1", "u".repeat(256)), ViaError::LoginLength("user"));
        check("mtproxy://h:1", ViaError::NoSecret);
        check("mtproxy://h:1?secrets=1", ViaError::NoSecret);
        check("mtproxy://h:1?secret=00", ViaError::Secret(SecretError::TooShort(1)));
    }

    #[test]
    fn nothing_that_is_printed_has_the_password_or_the_secret() {
        let links = [
            "socks5://ann:hunter2@h:1080",
            "http://ann:hunter2@h:1080",
            "mtproxy://h:443?secret=6875006e0074006500720032hunter2_",
            "tg://socks?server=h&port=1&user=ann&pass=hunter2",
            // Wrong ones, in which the password stands where something else should.
            "socks5://ann:hunter2",
            "socks5://ann@h:hunter2",
            "hunter2://ann@h:1",
            "socks5://ann:hunter2@h:hunter2",
            "socks5://ann:hunter2%zz@h:1080",
            "socks5://hunter2/@:1",
            "mtproxy://h:443?secret=hunter2",
        ];
        for link in links {
            let via = Via::parse(link);
            let shown = match &via {
                Ok(via) => format!("{via} {via:?} {}", via.name()),
                Err(error) => format!("{error} {error:?}"),
            };
            assert!(!shown.contains("hunter2"), "{link}: {shown}");
        }
    }

    #[test]
    fn a_link_is_shown_as_it_was_read() {
        for link in ["direct", "socks5://ann:***@h:1080", "http://[::1]:3128"] {
            assert_eq!(Via::parse(link).unwrap().to_string(), link);
        }
    }
}

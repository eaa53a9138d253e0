//! Where a DC is reached: by the configuration, by what Telegram said last, by Telegram's own list.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use data_encoding::HEXLOWER;

use super::start::StartError;
use super::telegram;
use super::{Config, WebSockets};
use crate::mtproto::mtproxy::{ProxyDc, Secret};
use crate::net::dial::{Address, Endpoint, Via, WebSocket};
use crate::storage::Session;
use crate::tl::{Reader, enums, types};

/// Where a new account begins.
pub(super) fn first_dc(config: &Config) -> i32 {
    let own = match &config.websockets {
        WebSockets::At(sockets) => sockets.first().map(|(id, _)| *id),
        _ => config.dcs.first().map(|dc| dc.id),
    };
    own.unwrap_or(telegram::FIRST_DC)
}

/// The configuration's addresses stand alone, all that it has for the DC. Otherwise what help.getConfig said last comes
/// first, and Telegram's own list after it, so that no answer can leave a client without a place to begin.
pub(super) fn endpoint(config: &Config, session: &Session, dc: i32) -> Result<Endpoint, StartError> {
    let unknown = StartError::UnknownDc(dc);
    match &config.websockets {
        WebSockets::Off => {}
        WebSockets::Telegram => {
            let number = u16::try_from(dc).ok();
            let of = |id| WebSocket::of_dc(ProxyDc { test: config.test_dc, ..ProxyDc::new(id) });
            return number.and_then(of).map(Endpoint::WebSocket).ok_or(unknown);
        }
        WebSockets::At(sockets) => {
            let socket = sockets.iter().find(|(id, _)| *id == dc).map(|(_, socket)| socket.clone());
            return socket.map(Endpoint::WebSocket).ok_or(unknown);
        }
    }
    if !config.dcs.is_empty() {
        let addresses: Vec<SocketAddr> =
            config.dcs.iter().filter(|known| known.id == dc).map(|known| known.address).collect();
        return if addresses.is_empty() { Err(unknown) } else { Ok(Endpoint::at(addresses)) };
    }
    let stored = session.dcs().into_iter().find(|(id, _)| *id == dc).map(|(_, text)| read_list(&text));
    let own = if config.test_dc { telegram::test_dcs() } else { telegram::dcs() };
    let own = own.into_iter().filter(|known| known.id == dc).map(|known| DcOption::from(Address::from(known.address)));
    let all: Vec<DcOption> = stored.unwrap_or_default().into_iter().chain(own).collect();
    let addresses = usable(all, config.ipv6, through_proxy(config));
    if addresses.is_empty() { Err(unknown) } else { Ok(Endpoint::Addresses(addresses)) }
}

/// An MTProxy looks addresses up by itself.
fn through_proxy(config: &Config) -> bool {
    matches!(config.proxy, Via::Socks5 { .. } | Via::Http { .. })
}

/// The addresses that may be used, in the order of trying: IPv6 first, and not at all where it is not wanted. Through a
/// proxy those that are meant for it, if there are any.
fn usable(all: Vec<DcOption>, ipv6: bool, through_proxy: bool) -> Vec<Address> {
    let only_fixed = through_proxy && all.iter().any(|option| option.fixed);
    let mut addresses: Vec<Address> = Vec::new();
    for option in all {
        let fits = (ipv6 || option.address.socket.is_ipv4()) && (option.fixed || !only_fixed);
        if fits && !addresses.iter().any(|known| known.socket == option.address.socket) {
            addresses.push(option.address);
        }
    }
    addresses.sort_by_key(|address| address.socket.is_ipv4());
    addresses
}

/// One of the DC options that Telegram told, as the session keeps it: `149.154.167.51:443;tcpo;static;secret=00…`.
/// <https://core.telegram.org/constructor/dcOption>
///
/// `this_port_only` needs no place in it: no port is tried that was not told.
#[derive(Clone, Debug, PartialEq, Eq)]
struct DcOption {
    address: Address,
    /// `static`: "this IP should be used when connecting through a proxy".
    fixed: bool,
}

impl From<Address> for DcOption {
    fn from(address: Address) -> DcOption {
        DcOption { address, fixed: false }
    }
}

impl fmt::Display for DcOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DcOption { address: Address { socket, only_obfuscated, secret }, fixed } = self;
        write!(f, "{socket}")?;
        if *only_obfuscated {
            f.write_str(";tcpo")?;
        }
        if *fixed {
            f.write_str(";static")?;
        }
        match secret {
            Some(Secret::Plain(key)) => write!(f, ";secret={}", HEXLOWER.encode(key)),
            Some(Secret::Padded(key) | Secret::FakeTls { key, .. }) => write!(f, ";secret=dd{}", HEXLOWER.encode(key)),
            None => Ok(()),
        }
    }
}

impl FromStr for DcOption {
    type Err = ();

    fn from_str(text: &str) -> Result<DcOption, ()> {
        let mut parts = text.split(';');
        let socket: SocketAddr = parts.next().and_then(|socket| socket.parse().ok()).ok_or(())?;
        let mut option = DcOption::from(Address::from(socket));
        for part in parts {
            match part.split_once('=') {
                None if part == "tcpo" => option.address.only_obfuscated = true,
                None if part == "static" => option.fixed = true,
                Some(("secret", secret)) => option.address.secret = Some(Secret::parse(secret).map_err(|_| ())?),
                // Of a later version: what it demands cannot be kept.
                _ => return Err(()),
            }
        }
        Ok(option)
    }
}

/// What cannot be read is of no use and does no harm: Telegram says it again.
fn read_list(text: &str) -> Vec<DcOption> {
    text.split(' ').filter_map(|option| option.parse().ok()).collect()
}

/// Keeps the addresses that help.getConfig tells, unless the configuration has its own.
pub(super) fn note_dcs(config: &Config, session: &Session, answer: &[u8]) {
    let mut reader = Reader::new(answer);
    if !config.dcs.is_empty() || config.test_dc || reader.expect(types::Config::ID).is_err() {
        return;
    }
    let Ok(answer) = types::Config::read(&mut reader) else { return };
    let mut dcs: Vec<(i32, String)> = Vec::new();
    for told in answer.dc_options.iter() {
        let enums::DcOption::DcOption(told) = told;
        let Some(option) = option(&told) else { continue };
        match dcs.iter_mut().find(|(id, _)| *id == told.id) {
            Some((_, list)) => *list = format!("{list} {option}"),
            None => dcs.push((told.id, option.to_string())),
        }
    }
    // A list without an address is no reason to forget those that worked.
    if !dcs.is_empty() {
        session.set_dcs(dcs);
    }
}

/// None for what is not for a session: media and CDN DCs, and what we could not connect to.
fn option(told: &types::DcOption<'_>) -> Option<DcOption> {
    if told.media_only || told.cdn {
        return None;
    }
    let ip: IpAddr = told.ip_address.parse().ok()?;
    let port = u16::try_from(told.port).ok().filter(|port| *port != 0)?;
    let secret = match told.secret {
        None => None,
        // Fake TLS is for proxies.
        Some(bytes) => match Secret::from_bytes(bytes).ok()? {
            Secret::FakeTls { .. } => return None,
            secret => Some(secret),
        },
    };
    let address = Address { socket: (ip, port).into(), only_obfuscated: told.tcpo_only, secret };
    Some(DcOption { address, fixed: told.r#static })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{Dc, SessionAt, SignIn};

    fn config() -> Config {
        Config::new(1, "hash", SignIn::Stored, SessionAt::Memory)
    }

    fn told<'a>(id: i32, ip_address: &'a str, port: i32) -> types::DcOption<'a> {
        let ipv6 = ip_address.contains(':');
        types::DcOption {
            ipv6,
            media_only: false,
            tcpo_only: false,
            cdn: false,
            r#static: false,
            this_port_only: false,
            id,
            ip_address,
            port,
            secret: None,
        }
    }

    #[test]
    fn an_option_is_kept_as_it_was_told_or_not_at_all() {
        let check = |told: types::DcOption<'_>, expected: Option<&str>| {
            let kept = option(&told);
            assert_eq!(kept.as_ref().map(ToString::to_string).as_deref(), expected, "{told:?}");
            if let Some(kept) = kept {
                assert_eq!(kept.to_string().parse(), Ok(kept));
            }
        };
        let plain = || told(2, "149.154.167.51", 443);
        check(plain(), Some("149.154.167.51:443"));
        check(told(2, "2001:67c:4e8:f002::a", 80), Some("[2001:67c:4e8:f002::a]:80"));
        check(types::DcOption { this_port_only: true, ..plain() }, Some("149.154.167.51:443"));
        check(types::DcOption { tcpo_only: true, ..plain() }, Some("149.154.167.51:443;tcpo"));
        check(types::DcOption { r#static: true, ..plain() }, Some("149.154.167.51:443;static"));
        let secret = [7; 16];
        let kept = format!("149.154.167.51:443;tcpo;secret={}", "07".repeat(16));
        check(types::DcOption { tcpo_only: true, secret: Some(&secret), ..plain() }, Some(&kept));
        let mut padded = [7; 17];
        padded[0] = 0xdd;
        let kept = format!("149.154.167.51:443;secret=dd{}", "07".repeat(16));
        check(types::DcOption { secret: Some(&padded), ..plain() }, Some(&kept));
        check(types::DcOption { secret: Some(&[7; 3]), ..plain() }, None);
        check(types::DcOption { media_only: true, ..plain() }, None);
        check(types::DcOption { cdn: true, ..plain() }, None);
        check(told(2, "venus.example", 443), None);
        check(told(2, "149.154.167.51", 0), None);
        check(told(2, "149.154.167.51", 65_536), None);
    }

    #[test]
    fn what_the_session_has_of_another_version_is_read_as_far_as_it_is_understood() {
        assert_eq!(read_list("149.154.167.51:443").len(), 1);
        assert_eq!(read_list("149.154.167.51:443;quic [::1]:2;static x").len(), 1);
        assert!(read_list("").is_empty());
    }

    #[test]
    fn ipv6_comes_first_where_it_is_wanted_and_not_at_all_where_it_is_not() {
        let session = Session::in_memory().unwrap();
        let sockets = |config: &Config, dc| match endpoint(config, &session, dc).unwrap() {
            Endpoint::Addresses(addresses) => addresses.iter().map(|a| a.socket.to_string()).collect::<Vec<_>>(),
            Endpoint::WebSocket(socket) => panic!("{socket:?}"),
        };
        assert_eq!(sockets(&config(), 2), ["149.154.167.51:443"]);
        let both = Config { ipv6: true, ..config() };
        assert_eq!(sockets(&both, 2), ["[2001:67c:4e8:f002::a]:443", "149.154.167.51:443"]);
        session.set_dcs(vec![(2, "149.154.167.41:443 [2001:67c:4e8:f002::b]:443;static 149.154.167.51:443".into())]);
        assert_eq!(sockets(&config(), 2), ["149.154.167.41:443", "149.154.167.51:443"]);
        let expected =
            ["[2001:67c:4e8:f002::b]:443", "[2001:67c:4e8:f002::a]:443", "149.154.167.41:443", "149.154.167.51:443"];
        assert_eq!(sockets(&both, 2), expected);
        let proxied = Config { proxy: Via::parse("socks5://h:1").unwrap(), ..both };
        assert_eq!(sockets(&proxied, 2), ["[2001:67c:4e8:f002::b]:443"], "the static one");
    }

    #[test]
    fn the_configuration_s_own_addresses_stand_alone() {
        let session = Session::in_memory().unwrap();
        session.set_dcs(vec![(2, "149.154.167.41:443".into())]);
        let sockets = ["127.0.0.1:1", "[::1]:2"].map(|text| text.parse().unwrap());
        let dcs = sockets.map(|address| Dc { id: 2, address }).to_vec();
        let config = Config { dcs, ..config() };
        assert_eq!(endpoint(&config, &session, 2).unwrap(), Endpoint::at(sockets));
        assert!(matches!(endpoint(&config, &session, 4), Err(StartError::UnknownDc(4))));
        assert_eq!(first_dc(&config), 2);
    }

    #[test]
    fn a_websocket_is_telegram_s_own_or_the_configuration_s() {
        let session = Session::in_memory().unwrap();
        let of = |websockets: &WebSockets, test_dc, dc| {
            let config = Config { websockets: websockets.clone(), test_dc, ..config() };
            endpoint(&config, &session, dc).ok().map(|endpoint| endpoint.to_string())
        };
        let telegram = WebSockets::Telegram;
        assert_eq!(of(&telegram, false, 4).as_deref(), Some("wss://vesta.web.telegram.org:443/apiws"));
        assert_eq!(of(&telegram, true, 1).as_deref(), Some("wss://pluto.web.telegram.org:443/apiws_test"));
        assert_eq!(of(&telegram, false, 203), None);
        let own = WebSockets::At(vec![(3, WebSocket::parse("ws://127.0.0.1:9/apiws").unwrap())]);
        assert_eq!(of(&own, false, 3).as_deref(), Some("ws://127.0.0.1:9/apiws"));
        assert_eq!(of(&own, false, 2), None);
        assert_eq!(first_dc(&Config { websockets: own, ..config() }), 3);
    }
}

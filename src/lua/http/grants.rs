//! `http:…` grants: which hosts and addresses a script may reach.
//!
//! ```text
//! http:api.example.com        this host, at any port          http:127.0.0.1:8080     this address and port
//! http:api.example.com:8443   at this port                    http:[::1]              addresses of IPv6 in brackets
//! http:*.example.com          every host below example.com    http:192.168.0.0/16     every address of a network
//! http:*                      every host                      http:localhost          this machine, by that name
//! ```
//!
//! A name that is granted may lead to public addresses only. What else it leads to needs a grant of its own, as an address or a
//! network: names are answered by strangers. `localhost` alone may lead to this machine.

use std::fmt;
use std::net::IpAddr;

use url::{Host, Url};

use super::addresses::is_public;
use super::fetch::Failure;

/// A host and a port, as a connection has them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::lua) struct Place {
    /// In lower case, international names encoded, no dot at the end.
    pub host: Host<String>,
    pub port: u16,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            80 | 443 => write!(f, "{}", self.host),
            port => write!(f, "{}:{port}", self.host),
        }
    }
}

/// The `http:` grants of one script.
#[derive(Clone, Debug, Default)]
pub(in crate::lua) struct WebGrants(Vec<Grant>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Grant {
    what: What,
    /// None is any.
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    Everyone,
    Host(String),
    /// Hosts whose names end with this; it begins with a dot.
    Below(String),
    Network(IpAddr, u8),
}

/// An address that a name leads to, and the script may not reach.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{host} leads to {address}, which is not a public address and needs a grant of its own: allow = [\"http:{}\"] in moongram.toml",
    bracketed(*address)
)]
pub(super) struct NotPublic {
    pub host: String,
    pub address: IpAddr,
}

/// Whether each `http:` grant of a list can be read; the error names the first that cannot.
pub fn check_grants(allow: &[String]) -> Result<(), String> {
    let texts = allow.iter().filter_map(|grant| grant.strip_prefix("http:"));
    texts.map(|text| Grant::parse(text).map(drop)).find(Result::is_err).unwrap_or(Ok(()))
}

impl WebGrants {
    /// From `allow = ["http:api.example.com", …]`; other grants are left to others, and one that cannot be read grants nothing.
    pub fn new(allow: &[String]) -> WebGrants {
        let texts = allow.iter().filter_map(|grant| grant.strip_prefix("http:"));
        WebGrants(texts.filter_map(|text| Grant::parse(text).ok()).collect())
    }

    /// The place of a URL, where the script may reach it as far as its name tells.
    pub fn check(&self, url: &Url) -> Result<Place, Failure> {
        let wrong = |text: &str| Failure::new("HTTP_FAILED", format!("{text}: a URL begins with http:// or https://"));
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong(&format!("{}:", url.scheme())));
        }
        let host = match url.host() {
            Some(Host::Domain(name)) => Host::Domain(name.trim_end_matches('.').to_ascii_lowercase()),
            Some(Host::Ipv4(address)) => Host::Ipv4(address),
            Some(Host::Ipv6(address)) => Host::Ipv6(address),
            None => return Err(wrong("a URL without a host")),
        };
        let port = url.port_or_known_default().unwrap_or(80);
        let place = Place { host, port };
        let is_granted = match &place.host {
            Host::Domain(name) => self.at(port).any(|what| match what {
                What::Everyone => true,
                What::Host(host) => host == name,
                What::Below(end) => name.len() > end.len() && name.ends_with(end.as_str()),
                What::Network(..) => false,
            }),
            Host::Ipv4(address) => self.has_address((*address).into(), port),
            Host::Ipv6(address) => self.has_address((*address).into(), port),
        };
        if is_granted {
            return Ok(place);
        }
        let grant = format!("allow = [\"http:{place}\"] in moongram.toml");
        Err(Failure::new("HTTP_NOT_ALLOWED", format!("{place} needs a grant: {grant}")))
    }

    /// The addresses that a granted name was answered with: each must be one that the script may reach.
    pub(super) fn check_addresses(&self, place: &Place, addresses: &[IpAddr]) -> Result<(), NotPublic> {
        let host = match &place.host {
            Host::Domain(name) => name.as_str(),
            _ => "",
        };
        let is_local_name = host == "localhost" || host.ends_with(".localhost");
        let by_name = is_local_name && self.at(place.port).any(|what| matches!(what, What::Host(name) if name == host));
        let may = |address: IpAddr| {
            is_public(address)
                || (by_name && address.to_canonical().is_loopback())
                || self.at(place.port).any(|what| what.contains(address))
        };
        match addresses.iter().find(|address| !may(**address)) {
            Some(address) => Err(NotPublic { host: host.to_owned(), address: address.to_canonical() }),
            None => Ok(()),
        }
    }

    /// What is granted at a port.
    fn at(&self, port: u16) -> impl Iterator<Item = &What> {
        self.0.iter().filter(move |grant| grant.port.is_none_or(|of| of == port)).map(|grant| &grant.what)
    }

    fn has_address(&self, address: IpAddr, port: u16) -> bool {
        self.at(port).any(|what| match what {
            What::Everyone => is_public(address),
            what => what.contains(address),
        })
    }
}

impl What {
    fn contains(&self, address: IpAddr) -> bool {
        let What::Network(start, bits) = self else { return false };
        match (start, address.to_canonical()) {
            (IpAddr::V4(start), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(*bits)).unwrap_or(0);
                start.to_bits() & mask == address.to_bits() & mask
            }
            (IpAddr::V6(start), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(*bits)).unwrap_or(0);
                start.to_bits() & mask == address.to_bits() & mask
            }
            _ => false,
        }
    }
}

impl Grant {
    fn parse(text: &str) -> Result<Grant, String> {
        let wrong = || {
            let like = "like http:api.example.com, http:*.example.com, http:127.0.0.1:8080 or http:192.168.0.0/16";
            format!("\"http:{text}\" is not a host or an address; a grant is {like}")
        };
        // An address of IPv6 has colons of its own.
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Grant { what: What::single(address), port: None });
        }
        if let Some((address, bits)) = text.split_once('/') {
            let address: IpAddr = address.trim_matches(['[', ']']).parse().map_err(|_| wrong())?;
            let bits: u8 = bits.parse().map_err(|_| wrong())?;
            let most = if address.is_ipv4() { 32 } else { 128 };
            return if bits <= most {
                Ok(Grant { what: What::Network(address, bits), port: None })
            } else {
                Err(wrong())
            };
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, Some(port)),
            _ => (text, None),
        };
        let port = match port {
            Some(port) => Some(port.parse().ok().filter(|port| *port > 0).ok_or_else(wrong)?),
            None => None,
        };
        let what = match (host, host.strip_prefix("*.")) {
            ("*", _) => What::Everyone,
            (_, Some(domain)) => match Host::parse(domain.trim_end_matches('.')) {
                Ok(Host::Domain(domain)) if !domain.contains('*') => What::Below(format!(".{domain}")),
                _ => return Err(wrong()),
            },
            (host, None) => match Host::parse(host.trim_end_matches('.')) {
                Ok(Host::Domain(host)) if !host.contains('*') => What::Host(host),
                Ok(Host::Ipv4(address)) => What::single(address.into()),
                Ok(Host::Ipv6(address)) => What::single(address.into()),
                _ => return Err(wrong()),
            },
        };
        Ok(Grant { what, port })
    }
}

impl What {
    fn single(address: IpAddr) -> What {
        let address = address.to_canonical();
        What::Network(address, if address.is_ipv4() { 32 } else { 128 })
    }
}

fn bracketed(address: IpAddr) -> String {
    if address.is_ipv6() { format!("[{address}]") } else { address.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grants(allow: &[&str]) -> WebGrants {
        WebGrants::new(&allow.iter().map(|grant| format!("http:{grant}")).collect::<Vec<_>>())
    }

    fn may(allow: &[&str], url: &str) -> bool {
        grants(allow).check(&Url::parse(url).unwrap()).is_ok()
    }

    #[test]
    fn a_grant_is_for_a_host_a_port_and_what_lies_below() {
        assert!(may(&["api.example.com"], "https://api.example.com/x?y"));
        assert!(may(&["api.example.com"], "http://API.Example.COM.:8080/"));
        assert!(may(&["API.example.com."], "https://api.example.com"));
        assert!(may(&["müller.example"], "https://xn--mller-kva.example/"));
        assert!(may(&["*.example.com"], "https://a.b.example.com"));
        assert!(may(&["api.example.com:8443"], "https://api.example.com:8443/"));
        assert!(may(&["*"], "https://anything.example"));
        assert!(may(&["*"], "https://1.1.1.1/") && may(&["*:443"], "https://1.1.1.1/"));
        assert!(!may(&[], "https://api.example.com"));
        assert!(!may(&["example.com"], "https://api.example.com"));
        assert!(!may(&["*.example.com"], "https://example.com"));
        assert!(!may(&["*.example.com"], "https://badexample.com"));
        assert!(!may(&["api.example.com:8443"], "https://api.example.com/"));
        assert!(!may(&["api.example.com"], "https://api.example.com.evil.example/"));
        assert!(!may(&["api.example.com"], "https://api.example.com@evil.example/"));
        assert!(!may(&["*:443"], "http://anything.example"));
    }

    #[test]
    fn addresses_are_what_they_are_however_they_are_written() {
        for url in
            ["http://127.0.0.1", "http://127.1/", "http://0x7f.1/", "http://2130706433/", "http://[::ffff:7f00:1]/"]
        {
            assert!(may(&["127.0.0.1"], url), "{url}");
            assert!(!may(&["*", "*.0.0.1", "example.com"], url), "{url}");
        }
        assert!(may(&["[::1]:8080"], "http://[::1]:8080/") && may(&["::1"], "http://[0:0::1]/"));
        assert!(!may(&["[::1]:8080"], "http://[::1]/"));
        assert!(may(&["10.0.0.0/8"], "http://10.255.0.1:99/") && !may(&["10.0.0.0/8"], "http://11.0.0.1/"));
        assert!(may(&["0.0.0.0/0"], "http://10.0.0.1/") && may(&["fd00::/8"], "http://[fd12::1]/"));
        assert!(!may(&["*"], "http://0.0.0.0/") && !may(&["*"], "http://169.254.169.254/"));
        assert!(!may(&["*"], "http://[64:ff9b::7f00:1]/"));
        assert!(!may(&["127.0.0.1"], "http://localhost/"), "a name is granted by name");
    }

    #[test]
    fn a_refusal_names_the_grant_that_is_missing() {
        let refusal = |url: &str| grants(&[]).check(&Url::parse(url).unwrap()).unwrap_err().text;
        assert!(refusal("https://a.example/x").contains("allow = [\"http:a.example\"]"));
        assert!(refusal("http://[::1]:8080/").contains("allow = [\"http:[::1]:8080\"]"));
        assert!(refusal("ftp://a.example/").contains("begins with http://"));
        assert!(refusal("file:///etc/passwd").contains("begins with http://"));
    }

    #[test]
    fn where_a_name_leads_is_checked() {
        fn check(allow: &[&str], url: &str, address: &str, expected: bool) {
            let grants = grants(allow);
            let place = grants.check(&Url::parse(url).unwrap()).unwrap();
            let public = "1.1.1.1".parse().unwrap();
            let found = grants.check_addresses(&place, &[public, address.parse().unwrap()]);
            assert_eq!(found.is_ok(), expected, "{allow:?} {url} {address}");
        }
        let url = "http://a.example/";
        check(&["a.example"], url, "8.8.8.8", true);
        for address in ["127.0.0.1", "::1", "10.1.1.1", "169.254.169.254", "::ffff:127.0.0.1", "0.0.0.0", "fe80::1"] {
            check(&["a.example"], url, address, false);
            check(&["*"], url, address, false);
        }
        check(&["a.example", "10.0.0.0/8"], url, "10.1.1.1", true);
        check(&["a.example", "10.1.1.1"], url, "::ffff:10.1.1.1", true);
        check(&["a.example", "127.0.0.1:8080"], "http://a.example:8080/", "127.0.0.1", true);
        check(&["a.example", "127.0.0.1:8080"], "http://a.example:22/", "127.0.0.1", false);
        check(&["localhost"], "http://localhost:1234/", "127.0.0.1", true);
        check(&["localhost"], "http://localhost/", "::1", true);
        check(&["localhost"], "http://localhost/", "10.0.0.1", false);
        check(&["*"], "http://localhost/", "127.0.0.1", false);
        let grants = grants(&["a.example"]);
        let place = grants.check(&Url::parse(url).unwrap()).unwrap();
        let refusal = grants.check_addresses(&place, &["::1".parse().unwrap()]).unwrap_err().to_string();
        assert!(
            refusal.contains("a.example leads to ::1") && refusal.contains("allow = [\"http:[::1]\"]"),
            "{refusal}"
        );
    }

    #[test]
    fn a_grant_that_cannot_be_read_is_told() {
        for wrong in [
            "",
            "a b",
            "https://a.example",
            "a.example/path",
            "a.example:x",
            "10.0.0.0/33",
            "*.",
            "*.*",
            "a*b",
            "[::1",
            "a:0",
        ] {
            let problem = check_grants(&[format!("http:{wrong}")]).unwrap_err();
            assert!(problem.contains(&format!("\"http:{wrong}\" is not a host")), "{problem}");
            assert!(grants(&[wrong]).0.is_empty(), "{wrong}");
        }
        assert_eq!(check_grants(&["http:a.example".into(), "fs:x".into(), "http:::1".into()]), Ok(()));
    }
}

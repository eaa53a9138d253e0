//! Where a DC listens, and what it wants to be spoken to there.

use std::fmt;
use std::net::SocketAddr;

use super::websocket::WebSocket;
use crate::crypto::Random;
use crate::mtproto::mtproxy::{ProxyDc, Secret};
use crate::mtproto::{Framing, Proxy, Transport};

/// One TCP address of a DC. <https://core.telegram.org/constructor/dcOption>
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    pub socket: SocketAddr,
    /// `tcpo_only`: only obfuscated streams are taken here.
    pub only_obfuscated: bool,
    /// Goes into the keys of the obfuscation, as that of an MTProxy does; obfuscates in any case.
    pub secret: Option<Secret>,
}

impl From<SocketAddr> for Address {
    /// An address without demands.
    fn from(socket: SocketAddr) -> Address {
        Address { socket, only_obfuscated: false, secret: None }
    }
}

impl Address {
    /// The framing for this address, new; None where it cannot carry the transport that is wanted.
    pub(super) fn framing(
        &self,
        wanted: Transport,
        obfuscated: bool,
        dc: ProxyDc,
        random: &mut dyn Random,
    ) -> Option<Framing> {
        match &self.secret {
            Some(secret) => {
                let proxy = Proxy { key: *secret.key(), dc };
                Framing::obfuscated(secret.transport(wanted)?, Some(proxy), random)
            }
            None if obfuscated || self.only_obfuscated => Framing::obfuscated(wanted, None, random),
            None => Some(Framing::client(wanted)),
        }
    }
}

/// Where a DC listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// TCP, the preferred address first. All are tried if need be.
    Addresses(Vec<Address>),
    WebSocket(WebSocket),
}

impl Endpoint {
    /// TCP at these addresses, which have no demands.
    pub fn at(sockets: impl IntoIterator<Item = SocketAddr>) -> Endpoint {
        Endpoint::Addresses(sockets.into_iter().map(Address::from).collect())
    }

    /// The address to begin with next time: this one, which works.
    pub fn prefer(&mut self, socket: SocketAddr) {
        if let Endpoint::Addresses(addresses) = self
            && let Some(at) = addresses.iter().position(|address| address.socket == socket)
        {
            addresses[..=at].rotate_right(1);
        }
    }

    /// The address to end with next time: this one, which let itself be reached and was of no use.
    pub fn avoid(&mut self, socket: SocketAddr) {
        if let Endpoint::Addresses(addresses) = self
            && let Some(at) = addresses.iter().position(|address| address.socket == socket)
        {
            addresses[at..].rotate_left(1);
        }
    }

    /// Takes an address out for good. False where it is the last, which stays.
    pub fn strike(&mut self, socket: SocketAddr) -> bool {
        match self {
            Endpoint::Addresses(addresses) if addresses.len() > 1 => {
                let before = addresses.len();
                addresses.retain(|address| address.socket != socket);
                addresses.len() < before
            }
            _ => false,
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Endpoint::WebSocket(socket) => f.write_str(&socket.name()),
            Endpoint::Addresses(addresses) if addresses.is_empty() => f.write_str("no address"),
            Endpoint::Addresses(addresses) => {
                for (at, address) in addresses.iter().enumerate() {
                    let separator = if at == 0 { "" } else { ", " };
                    write!(f, "{separator}{}", address.socket)?;
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::SystemRandom;

    fn endpoint() -> (Endpoint, [SocketAddr; 3]) {
        let sockets = ["127.0.0.1:1", "[::1]:2", "127.0.0.1:3"].map(|text| text.parse().unwrap());
        (Endpoint::at(sockets), sockets)
    }

    #[test]
    fn what_worked_comes_first_and_what_did_not_last() {
        let (mut endpoint, [one, two, three]) = endpoint();
        assert_eq!(endpoint.to_string(), "127.0.0.1:1, [::1]:2, 127.0.0.1:3");
        endpoint.prefer(three);
        assert_eq!(endpoint, Endpoint::at([three, one, two]));
        endpoint.avoid(three);
        assert_eq!(endpoint, Endpoint::at([one, two, three]));
        endpoint.prefer("127.0.0.9:9".parse().unwrap());
        assert_eq!(endpoint, Endpoint::at([one, two, three]));
    }

    #[test]
    fn the_last_address_cannot_be_struck() {
        let (mut endpoint, [one, two, three]) = endpoint();
        assert!(endpoint.strike(two) && endpoint.strike(one));
        assert!(!endpoint.strike(three));
        assert_eq!(endpoint, Endpoint::at([three]));
    }

    #[test]
    fn an_address_s_demands_decide_over_the_framing() {
        let (_, [socket, ..]) = endpoint();
        let plain = Address::from(socket);
        let tcpo = Address { only_obfuscated: true, ..plain.clone() };
        let dd = Address { secret: Some(Secret::Padded([1; 16])), ..plain.clone() };
        let check = |address: &Address, wanted, obfuscated, expected: Option<(Transport, bool)>| {
            let framing = address.framing(wanted, obfuscated, ProxyDc::new(2), &mut SystemRandom::new());
            let got = framing.map(|framing| (framing.transport().unwrap(), framing.is_obfuscated()));
            assert_eq!(got, expected, "{address:?} {wanted:?} {obfuscated}");
        };
        check(&plain, Transport::Full, false, Some((Transport::Full, false)));
        check(&plain, Transport::Abridged, true, Some((Transport::Abridged, true)));
        check(&tcpo, Transport::Abridged, false, Some((Transport::Abridged, true)));
        check(&tcpo, Transport::Full, false, None);
        check(&dd, Transport::Abridged, false, Some((Transport::Padded, true)));
    }
}

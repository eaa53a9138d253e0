//! From the address of a DC to a stream of bytes for the framing, straight or through a proxy.
//!
//! ```text
//! Direct   TCP ─────────────────┐
//! Socks5   TCP ▸ SOCKS5 ────────┼▸ (TLS ▸ WebSocket) ▸ stream
//! Http     TCP ▸ HTTP CONNECT ──┘
//! MtProxy  TCP ▸ (fake TLS) ▸ stream
//! ```
//!
//! The framing that fits comes with it: obfuscated where that was asked for or the way demands it, with the secret of an
//! MTProxy in its keys.
//!
//! Every step has a time-out, and an error says at which step and on whose side it failed.

mod address;
mod disguise;
mod error;
mod eyeballs;
mod http;
mod socks;
mod tcp;
mod via;
mod websocket;

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::crypto::SystemRandom;
use crate::mtproto::faketls::{Greeting, Records};
use crate::mtproto::mtproxy::{ProxyDc, Secret};
use crate::mtproto::{Framing, Proxy, Transport};
use crate::net::Clock;
use disguise::{Disguised, GreetError};
use socks::Onward;

pub use address::{Address, Endpoint};
pub use error::{DialError, Peer, Step, Tried};
pub use via::{Login, Place, Via, ViaError};
pub use websocket::{Trust, UrlError, WebSocket};

/// A stream of bytes, whatever is below it.
pub trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for S {}

pub type BoxedStream = Box<dyn ByteStream>;

/// What to reach, and how it is spoken to.
#[derive(Clone, Debug)]
pub struct Target {
    pub endpoint: Endpoint,
    /// An MTProxy is asked for this DC and looks up its address itself.
    pub dc: ProxyDc,
    /// The framing that is wanted. A proxy's secret may demand another: see [`Dialed::framing`].
    pub transport: Transport,
    /// Makes the stream look random to those who look on. An MTProxy and WebSocket have it in any case.
    pub obfuscated: bool,
    /// Seconds that Telegram's clock is ahead of ours, as far as known. Fake TLS proves its secret with the time.
    pub time_offset: i64,
    /// How long each step may take.
    pub patience: Duration,
}

impl Target {
    /// A DC at `addresses`, which have no demands; not obfuscated, with ten seconds for each step.
    pub fn new(dc: ProxyDc, addresses: Vec<SocketAddr>, transport: Transport) -> Target {
        Target {
            endpoint: Endpoint::at(addresses),
            dc,
            transport,
            obfuscated: false,
            time_offset: 0,
            patience: Duration::from_secs(10),
        }
    }
}

/// A stream, ready for the framing.
pub struct Dialed {
    /// Bytes written go out without a flush as long as somebody reads.
    pub stream: BoxedStream,
    /// The client's end, new.
    pub framing: Framing,
    /// Which of the target's addresses it leads to; None where a name or an MTProxy was dialled.
    pub remote: Option<SocketAddr>,
    /// This machine's address on it.
    pub local: Option<IpAddr>,
}

impl std::fmt::Debug for Dialed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dialed").field("framing", &self.framing).finish_non_exhaustive()
    }
}

/// Connects to `target`. Takes no longer than the target's patience for each step; dropping the future gives up.
pub async fn dial(target: &Target, via: &Via, clock: &Clock) -> Result<Dialed, DialError> {
    let dialling = Dialling { target, via, clock };
    if let Via::MtProxy { proxy, secret } = via {
        return dialling.through_mtproxy(proxy, secret).await;
    }
    match &target.endpoint {
        Endpoint::Addresses(addresses) => {
            let mut random = SystemRandom::new();
            let mut framings: Vec<(SocketAddr, Framing)> = addresses
                .iter()
                .filter_map(|address| {
                    let framing = address.framing(target.transport, target.obfuscated, target.dc, &mut random)?;
                    Some((address.socket, framing))
                })
                .collect();
            if framings.is_empty() && !addresses.is_empty() {
                return Err(DialError::Transport(target.transport));
            }
            let sockets: Vec<SocketAddr> = framings.iter().map(|(socket, _)| *socket).collect();
            let (stream, remote) = dialling.reach(&sockets).await?;
            let local = tcp::local(&stream);
            let at = sockets.iter().position(|socket| *socket == remote).ok_or(DialError::NoAddress)?;
            let framing = framings.swap_remove(at).1;
            Ok(Dialed { stream: Box::new(stream), framing, remote: Some(remote), local })
        }
        Endpoint::WebSocket(socket) => {
            let peer = Peer::Server(socket.name());
            let stream = dialling.reach_name(&socket.place, &peer).await?;
            let local = tcp::local(&stream);
            let dialed = if socket.secure {
                let securing = websocket::secure(stream, socket, &peer);
                let stream = dialling.in_time(Step::Tls, &peer, securing).await?;
                dialling.upgrade(stream, socket, &peer).await?
            } else {
                dialling.upgrade(stream, socket, &peer).await?
            };
            Ok(Dialed { local, ..dialed })
        }
    }
}

struct Dialling<'a> {
    target: &'a Target,
    via: &'a Via,
    clock: &'a Clock,
}

impl Dialling<'_> {
    /// A TCP stream to one of `addresses`, straight or through the proxy, and to which.
    async fn reach(&self, addresses: &[SocketAddr]) -> Result<(TcpStream, SocketAddr), DialError> {
        let Target { patience, dc, .. } = self.target;
        match self.via {
            Via::Direct | Via::MtProxy { .. } => {
                let peer = Peer::Server(match addresses {
                    [only] => only.to_string(),
                    _ => format!("of DC {}", dc.id),
                });
                tcp::connect(addresses, &peer, *patience, self.clock).await
            }
            _ if addresses.is_empty() => Err(DialError::NoAddress),
            _ => {
                let place = |address: &SocketAddr| Place { host: address.ip().to_string(), port: address.port() };
                let places: Vec<Place> = addresses.iter().map(place).collect();
                let (stream, at) = self.onward(&places).await?;
                Ok((stream, addresses[at]))
            }
        }
    }

    /// A TCP stream to a name, which a proxy resolves itself.
    async fn reach_name(&self, place: &Place, peer: &Peer) -> Result<TcpStream, DialError> {
        match self.via {
            Via::Direct | Via::MtProxy { .. } => tcp::connect_to(place, peer, self.target.patience, self.clock).await,
            _ => Ok(self.onward(std::slice::from_ref(place)).await?.0),
        }
    }

    /// Asks the proxy for one place after the other, until it gets to one; which that is comes with the stream.
    async fn onward(&self, places: &[Place]) -> Result<(TcpStream, usize), DialError> {
        let peer = Peer::Proxy(self.via.name());
        let mut tried = Vec::new();
        for (at, place) in places.iter().enumerate() {
            let reached = match self.via {
                Via::Socks5 { proxy, login } => {
                    let stream = self.to_proxy(proxy, &peer).await?;
                    let asking = socks::negotiate(stream, &peer, login.as_ref(), place);
                    self.in_time(Step::Socks5, &peer, asking).await?
                }
                Via::Http { proxy, login } => {
                    let stream = self.to_proxy(proxy, &peer).await?;
                    let asking = http::connect(stream, &peer, login.as_ref(), place);
                    self.in_time(Step::HttpConnect, &peer, asking).await?
                }
                Via::Direct | Via::MtProxy { .. } => break,
            };
            match reached {
                Onward::Connected(stream) => return Ok((stream, at)),
                Onward::Refused(reason) => tried.push((place.to_string(), reason)),
            }
        }
        Err(DialError::TargetRefused { proxy: peer, tried: Tried(tried) })
    }

    async fn to_proxy(&self, proxy: &Place, peer: &Peer) -> Result<TcpStream, DialError> {
        tcp::connect_to(proxy, peer, self.target.patience, self.clock).await
    }

    async fn through_mtproxy(&self, proxy: &Place, secret: &Secret) -> Result<Dialed, DialError> {
        let wanted = self.target.transport;
        let transport = secret.transport(wanted).ok_or(DialError::Transport(wanted))?;
        let framing = obfuscated(transport, Some(Proxy { key: *secret.key(), dc: self.target.dc }))?;
        let peer = Peer::Proxy(self.via.name());
        let mut stream = self.to_proxy(proxy, &peer).await?;
        let local = tcp::local(&stream);
        if let Secret::FakeTls { key, domain } = secret {
            let greeting = Greeting::new(key, domain, self.server_time(), &mut SystemRandom::new());
            let greeted = async {
                disguise::greet(&mut stream, &greeting).await.map_err(|error| match error {
                    GreetError::Io(source) => DialError::Broken { step: Step::FakeTls, peer: peer.clone(), source },
                    GreetError::FakeTls(source) => DialError::FakeTls { proxy: peer.clone(), source },
                })
            };
            let received = self.in_time(Step::FakeTls, &peer, greeted).await?;
            let stream = Disguised::new(stream, Some((Records::new(), received)));
            return Ok(Dialed { stream: Box::new(stream), framing, remote: None, local });
        }
        Ok(Dialed { stream: Box::new(stream), framing, remote: None, local })
    }

    async fn upgrade<S: ByteStream + 'static>(
        &self,
        stream: S,
        socket: &WebSocket,
        peer: &Peer,
    ) -> Result<Dialed, DialError> {
        // <https://core.telegram.org/mtproto/transports#websocket>: obfuscation is required.
        let framing = obfuscated(self.target.transport, None)?;
        let upgrading = websocket::upgrade(stream, socket, peer);
        let stream = self.in_time(Step::WebSocket, peer, upgrading).await?;
        Ok(Dialed { stream: Box::new(Disguised::new(stream, None)), framing, remote: None, local: None })
    }

    fn server_time(&self) -> Duration {
        let unix = self.clock.now().unix;
        let offset = Duration::from_secs(self.target.time_offset.unsigned_abs());
        if self.target.time_offset < 0 { unix.saturating_sub(offset) } else { unix.saturating_add(offset) }
    }

    /// The step, or that it took too long. Bytes that trickle in gain no time.
    async fn in_time<T>(
        &self,
        step: Step,
        peer: &Peer,
        future: impl Future<Output = Result<T, DialError>>,
    ) -> Result<T, DialError> {
        let after = self.target.patience;
        match self.clock.timeout(after, future).await {
            Ok(result) => result,
            Err(_) => Err(DialError::TimedOut { step, peer: peer.clone(), after }),
        }
    }
}

fn obfuscated(transport: Transport, proxy: Option<Proxy>) -> Result<Framing, DialError> {
    Framing::obfuscated(transport, proxy, &mut SystemRandom::new()).ok_or(DialError::Transport(transport))
}

/// The other end closed the connection where something was due.
fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "it closed the connection")
}

//! The TCP connection under everything else.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

use super::error::{DialError, Peer, Step, Tried};
use super::eyeballs;
use super::via::Place;
use crate::net::Clock;

/// An idle connection is asked for a sign of life after this long, so that a NAT keeps its entry and a peer that went
/// away is noticed.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
const KEEPALIVE_RETRIES: u32 = 3;
/// What was sent and is not acknowledged after this long ends the connection, where the system can do that: a network
/// that went away is noticed while a call waits.
#[cfg(any(target_os = "android", target_os = "linux"))]
const UNACKNOWLEDGED: Duration = Duration::from_secs(15);

/// Connects to the first of `addresses` that answers, with the options that a session wants; says which it was.
pub async fn connect(
    addresses: &[SocketAddr],
    peer: &Peer,
    patience: Duration,
    clock: &Clock,
) -> Result<(TcpStream, SocketAddr), DialError> {
    if addresses.is_empty() {
        return Err(DialError::NoAddress);
    }
    // The time-out is one for all: attempts run side by side, and the last of many must not add its own.
    let attempt = |address| async move { Ok((TcpStream::connect(address).await?, address)) };
    let racing = eyeballs::race(addresses, clock, attempt);
    match clock.timeout(patience, racing).await {
        Ok(Ok((stream, address))) => {
            set_options(&stream);
            Ok((stream, address))
        }
        Ok(Err(failed)) => {
            let tried = failed.into_iter().map(|(address, error)| (address.to_string(), reason(&error))).collect();
            Err(DialError::Unreachable { peer: peer.clone(), tried: Tried(tried) })
        }
        Err(_) => Err(DialError::TimedOut { step: Step::Connect, peer: peer.clone(), after: patience }),
    }
}

/// Connects to a name or an address.
pub async fn connect_to(place: &Place, peer: &Peer, patience: Duration, clock: &Clock) -> Result<TcpStream, DialError> {
    let addresses = resolve(place, peer, patience, clock).await?;
    Ok(connect(&addresses, peer, patience, clock).await?.0)
}

/// This machine's address on a stream.
pub fn local(stream: &TcpStream) -> Option<IpAddr> {
    stream.local_addr().ok().map(|address| address.ip())
}

async fn resolve(place: &Place, peer: &Peer, patience: Duration, clock: &Clock) -> Result<Vec<SocketAddr>, DialError> {
    let looking = tokio::net::lookup_host((place.host.as_str(), place.port));
    match clock.timeout(patience, looking).await {
        Ok(Ok(addresses)) => Ok(addresses.collect()),
        Ok(Err(source)) => Err(DialError::Resolve { peer: peer.clone(), source }),
        Err(_) => Err(DialError::TimedOut { step: Step::Resolve, peer: peer.clone(), after: patience }),
    }
}

/// None of these is worth a connection: one without them works, if less well.
fn set_options(stream: &TcpStream) {
    // Small packets that wait for each other's acknowledgments would cost every call 40 ms.
    let _ = stream.set_nodelay(true);
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_IDLE);
    #[cfg(not(target_os = "openbsd"))]
    let keepalive = keepalive.with_interval(KEEPALIVE_INTERVAL).with_retries(KEEPALIVE_RETRIES);
    let _ = socket.set_tcp_keepalive(&keepalive);
    #[cfg(any(target_os = "android", target_os = "linux"))]
    let _ = socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED));
}

/// An error without the number that the system gives it.
fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::HostUnreachable => "host unreachable".to_owned(),
        io::ErrorKind::NetworkUnreachable => "network unreachable".to_owned(),
        io::ErrorKind::TimedOut => "no answer".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_connection_has_the_options_of_a_session() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let peer = Peer::Server(address.to_string());
        let (stream, _) = connect(&[address], &peer, Duration::from_secs(5), &Clock::real()).await.unwrap();
        assert!(stream.nodelay().unwrap());
        let socket = SockRef::from(&stream);
        assert!(socket.keepalive().unwrap());
        #[cfg(target_os = "linux")]
        {
            assert_eq!(socket.tcp_keepalive_time().unwrap(), KEEPALIVE_IDLE);
            assert_eq!(socket.tcp_user_timeout().unwrap(), Some(UNACKNOWLEDGED));
        }
    }
}

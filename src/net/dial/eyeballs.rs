//! Happy eyeballs: a fast choice between addresses, some of which may lead nowhere.
//!
//! <https://www.rfc-editor.org/rfc/rfc8305#section-5>: families take turns, each further attempt begins a little after
//! the one before it or as soon as one has failed, and the first connection made is kept.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use crate::net::Clock;

/// What RFC 8305 recommends between two attempts.
pub const STAGGER: Duration = Duration::from_millis(250);

/// The first connection that `connect` makes; the others are dropped. On failure each address with its error, in the
/// order in which they failed.
pub async fn race<T, F, C>(
    addresses: &[SocketAddr],
    clock: &Clock,
    connect: C,
) -> Result<T, Vec<(SocketAddr, io::Error)>>
where
    F: Future<Output = io::Result<T>>,
    C: Fn(SocketAddr) -> F,
{
    let mut waiting = in_turn(addresses).into_iter();
    let mut running = FuturesUnordered::new();
    let mut failed = Vec::new();
    let attempt = |address| {
        let connecting = connect(address);
        async move { (address, connecting.await) }
    };
    loop {
        let started = waiting.next().map(|address| running.push(attempt(address))).is_some();
        if running.is_empty() {
            return Err(failed);
        }
        let next = clock.now().mono + STAGGER;
        tokio::select! {
            biased;
            Some((address, result)) = running.next() => match result {
                Ok(connection) => return Ok(connection),
                Err(error) => failed.push((address, error)),
            },
            () = clock.sleep_until(next), if started => {}
        }
    }
}

/// The order of trying: as given, but with the two families taking turns, the first address's family first.
fn in_turn(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let Some(first) = addresses.first() else { return Vec::new() };
    let (preferred, other): (Vec<_>, Vec<_>) =
        addresses.iter().copied().partition(|address| address.is_ipv6() == first.is_ipv6());
    let mut order = Vec::with_capacity(addresses.len());
    let (mut preferred, mut other) = (preferred.into_iter(), other.into_iter());
    loop {
        let pair = [preferred.next(), other.next()];
        if pair == [None, None] {
            return order;
        }
        order.extend(pair.into_iter().flatten());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    const V6: &str = "[::1]:1";
    const V4: &str = "127.0.0.1:1";
    const V4_TOO: &str = "127.0.0.2:1";

    /// Runs a race on a stepped clock. Each address connects or fails after so many milliseconds; returned are the
    /// winner (or the failures in order) with the time, and when each attempt began.
    async fn run(
        network: &[(&str, u64, Result<(), io::ErrorKind>)],
    ) -> (Result<SocketAddr, Vec<SocketAddr>>, u128, Vec<(SocketAddr, u128)>) {
        let clock = Clock::stepped(Duration::ZERO);
        let began = Arc::new(Mutex::new(Vec::new()));
        let addresses: Vec<SocketAddr> = network.iter().map(|(text, ..)| address(text)).collect();
        let connect = |to: SocketAddr| {
            began.lock().unwrap().push((to, clock.now().mono.as_millis()));
            let (_, after, result) = network.iter().find(|(text, ..)| address(text) == to).unwrap();
            let (clock, after, result) = (clock.clone(), *after, *result);
            async move {
                clock.sleep(Duration::from_millis(after)).await;
                result.map(|()| to).map_err(io::Error::from)
            }
        };
        let race = race(&addresses, &clock, connect);
        let step = async {
            loop {
                tokio::task::yield_now().await;
                clock.advance(Duration::from_millis(1));
            }
        };
        let result = tokio::select! {
            biased;
            result = race => result,
            () = step => unreachable!(),
        };
        let result = result.map_err(|failed| failed.into_iter().map(|(address, _)| address).collect());
        let began = began.lock().unwrap().clone();
        (result, clock.now().mono.as_millis(), began)
    }

    #[tokio::test]
    async fn a_first_address_that_answers_soon_is_the_only_one_tried() {
        let (winner, at, began) = run(&[(V6, 200, Ok(())), (V4, 1, Ok(()))]).await;
        assert_eq!((winner, at), (Ok(address(V6)), 200));
        assert_eq!(began.len(), 1);
    }

    #[tokio::test]
    async fn the_next_address_gets_its_chance_after_a_quarter_of_a_second() {
        let (winner, at, began) = run(&[(V6, 60_000, Ok(())), (V4, 100, Ok(()))]).await;
        assert_eq!((winner, at), (Ok(address(V4)), 350));
        assert_eq!(began, [(address(V6), 0), (address(V4), 250)]);
    }

    #[tokio::test]
    async fn a_slow_first_address_can_still_win() {
        let (winner, at, _) = run(&[(V6, 300, Ok(())), (V4, 400, Ok(()))]).await;
        assert_eq!((winner, at), (Ok(address(V6)), 300));
    }

    #[tokio::test]
    async fn a_refusal_begins_the_next_attempt_at_once() {
        let refused = Err(io::ErrorKind::ConnectionRefused);
        let (winner, at, _) = run(&[(V6, 10, refused), (V4, 20, Ok(()))]).await;
        assert_eq!((winner, at), (Ok(address(V4)), 30));
    }

    #[tokio::test]
    async fn when_all_fail_each_is_named() {
        let refused = Err(io::ErrorKind::ConnectionRefused);
        let (failed, _, _) = run(&[(V6, 600, refused), (V4, 10, refused), (V4_TOO, 10, refused)]).await;
        assert_eq!(failed, Err(vec![address(V4), address(V4_TOO), address(V6)]));
    }

    #[tokio::test]
    async fn no_address_is_a_failure_without_names() {
        assert_eq!(run(&[]).await.0, Err(Vec::new()));
    }

    #[test]
    fn families_take_turns_and_the_first_leads() {
        let addresses = [V4, V4_TOO, V6].map(address);
        assert_eq!(in_turn(&addresses), [V4, V6, V4_TOO].map(address));
        let addresses = [V6, V4, V4_TOO].map(address);
        assert_eq!(in_turn(&addresses), [V6, V4, V4_TOO].map(address));
    }
}

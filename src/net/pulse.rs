//! Whether a socket is still of use, as far as that shows without asking the server: the engine's pings do the rest.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use crate::mtproto::Time;

/// How often the machine itself is looked at while nothing else happens.
const LOOK: Duration = Duration::from_secs(5);
/// The wall clock went ahead of the monotonic one by more than this: the machine slept, and no server or NAT waited for it.
const SLEPT: Duration = Duration::from_secs(30);
/// So many bytes of a packet that is not whole yet are a sign of life. Fewer, in the time that a ping has for its answer,
/// are none: at a byte a second no answer comes in a lifetime.
const LIVELY: usize = 1024;
/// A socket that takes nothing at all for so long leads nowhere; pings wait behind what it does not take.
const STUCK: Duration = Duration::from_secs(14);

/// Says whether this machine has lost an address.
pub(super) type IsGone = fn(SocketAddr) -> bool;

pub(super) struct Pulse {
    last: Time,
    local: Option<SocketAddr>,
    is_gone: IsGone,
    next_look: Duration,
    moved: usize,
    /// The socket did not take all of the last write.
    is_full: bool,
    /// Since when there is something to write, and nothing was written.
    stuck_since: Option<Duration>,
}

/// Why a socket is of no more use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Dead {
    #[error("this machine slept for {} s", .0.as_secs())]
    Slept(Duration),
    #[error("this machine no longer has the address {0}")]
    AddressGone(SocketAddr),
    #[error("the server has taken nothing for {} s", STUCK.as_secs())]
    Stuck,
}

impl Pulse {
    /// Of a new socket, whose end on this machine is `local`.
    pub fn new(now: Time, local: Option<SocketAddr>) -> Pulse {
        let next_look = now.mono + LOOK;
        Pulse { last: now, local, is_gone, next_look, moved: 0, is_full: false, stuck_since: None }
    }

    /// Asks somebody else than the system about this machine's addresses.
    pub fn ask(&mut self, is_gone: IsGone) {
        self.is_gone = is_gone;
    }

    /// When [`check`](Self::check) wants to be called, at the latest; in monotonic time.
    pub fn due(&self) -> Duration {
        self.stuck_since.map_or(self.next_look, |since| self.next_look.min(since + STUCK))
    }

    pub fn check(&mut self, now: Time) -> Result<(), Dead> {
        let passed = now.mono.saturating_sub(self.last.mono);
        let slept = now.unix.saturating_sub(self.last.unix).saturating_sub(passed);
        self.last = now;
        if slept > SLEPT {
            return Err(Dead::Slept(slept));
        }
        if self.stuck_since.is_some_and(|since| now.mono >= since + STUCK) {
            return Err(Dead::Stuck);
        }
        if now.mono >= self.next_look {
            self.next_look = now.mono + LOOK;
            if let Some(local) = self.local.filter(|local| (self.is_gone)(*local)) {
                return Err(Dead::AddressGone(local));
            }
        }
        Ok(())
    }

    /// Bytes were read.
    pub fn read(&mut self, bytes: usize) {
        self.moved += bytes;
    }

    /// The socket took bytes, and so many more wait. What it takes after it was full is room that was made by arriving; what
    /// it takes before only a buffer has swallowed.
    pub fn wrote(&mut self, bytes: usize, waiting: usize) {
        self.stuck_since = None;
        if std::mem::replace(&mut self.is_full, waiting > 0) {
            self.moved += bytes;
        }
    }

    /// There is something to write.
    pub fn has_to_write(&mut self, now: Time) {
        self.stuck_since.get_or_insert(now.mono);
    }

    /// Whether so much moved since the last sign of life that it is another.
    pub fn take_sign_of_life(&mut self) -> bool {
        let is_one = self.moved >= LIVELY;
        if is_one {
            self.moved = 0;
        }
        is_one
    }
}

/// Asks the system, which lets nobody use an address that this machine does not have.
pub(super) fn is_gone(local: SocketAddr) -> bool {
    let mut any_port = local;
    any_port.set_port(0);
    // Out of file descriptors, say, is no answer.
    matches!(UdpSocket::bind(any_port), Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCAL: &str = "127.0.0.1:4430";

    fn at(mono: u64, unix: u64) -> Time {
        Time { mono: Duration::from_secs(mono), unix: Duration::from_secs(unix) }
    }

    fn pulse() -> Pulse {
        Pulse { is_gone: |_| false, ..Pulse::new(at(100, 1_000_000), Some(LOCAL.parse().unwrap())) }
    }

    #[test]
    fn a_wall_clock_that_went_ahead_alone_tells_of_sleep() {
        let mut pulse = pulse();
        assert_eq!(pulse.check(at(700, 1_000_600)), Ok(()), "ten minutes, awake");
        assert_eq!(pulse.check(at(701, 1_000_620)), Ok(()), "somebody set the clock");
        assert_eq!(pulse.check(at(702, 1_000_000)), Ok(()), "and back");
        assert_eq!(pulse.check(at(703, 1_000_121)), Err(Dead::Slept(Duration::from_secs(120))));
        assert_eq!(pulse.check(at(704, 1_000_122)), Ok(()));
    }

    #[test]
    fn an_address_that_is_gone_is_found_at_the_next_look() {
        let mut pulse = Pulse { is_gone: |_| true, ..pulse() };
        assert_eq!(pulse.check(at(104, 1_000_004)), Ok(()));
        assert_eq!(pulse.due(), Duration::from_secs(105));
        let gone = pulse.check(at(105, 1_000_005));
        assert_eq!(gone, Err(Dead::AddressGone(LOCAL.parse().unwrap())));
        let mut elsewhere = Pulse { local: None, is_gone: |_| true, ..self::pulse() };
        assert_eq!(elsewhere.check(at(105, 1_000_005)), Ok(()));
    }

    #[test]
    fn a_socket_that_takes_nothing_is_given_up_and_one_that_takes_a_little_is_not() {
        let mut pulse = pulse();
        pulse.has_to_write(at(100, 1_000_000));
        assert_eq!(pulse.due(), Duration::from_secs(105));
        assert_eq!(pulse.check(at(113, 1_000_013)), Ok(()));
        assert_eq!(pulse.due(), Duration::from_secs(114));
        pulse.wrote(10, 5_000);
        pulse.has_to_write(at(113, 1_000_013));
        pulse.has_to_write(at(114, 1_000_014));
        assert_eq!(pulse.check(at(126, 1_000_026)), Ok(()));
        assert_eq!(pulse.check(at(127, 1_000_027)), Err(Dead::Stuck));
        let mut pulse = self::pulse();
        pulse.has_to_write(at(100, 1_000_000));
        pulse.wrote(5_000, 0);
        assert_eq!(pulse.check(at(200, 1_000_100)), Ok(()), "all is written");
    }

    #[test]
    fn a_kibibyte_is_a_sign_of_life_and_what_a_buffer_swallows_is_not() {
        let mut pulse = pulse();
        let lives = |pulse: &mut Pulse, bytes| {
            pulse.read(bytes);
            pulse.take_sign_of_life()
        };
        assert!(!lives(&mut pulse, 1_000));
        assert!(lives(&mut pulse, 24));
        assert!(!lives(&mut pulse, 1_000));
        let mut pulse = self::pulse();
        pulse.has_to_write(at(100, 1_000_000));
        pulse.wrote(100_000, 2_000);
        assert!(!pulse.take_sign_of_life(), "it had room");
        pulse.has_to_write(at(101, 1_000_001));
        pulse.wrote(2_000, 0);
        assert!(pulse.take_sign_of_life(), "it made room");
    }

    #[test]
    fn the_system_knows_which_addresses_are_ours() {
        assert!(!is_gone("127.0.0.1:1".parse().unwrap()));
        // TEST-NET-3 of RFC 5737, which no machine has.
        assert!(is_gone("203.0.113.77:1".parse().unwrap()));
    }
}

//! Salts known ahead of their time. <https://core.telegram.org/mtproto/service_messages#request-for-several-future-salts>

use super::pair::*;
use super::service::*;
use crate::mtproto::*;

const HOUR: u64 = 3600;

/// A pair whose server has a new salt every half-hour, each valid for an hour, for so many hours. The salt is the number of the
/// half-hour.
fn rotating(hours: i32) -> Pair {
    let mut pair = Pair::connected();
    let now = pair.now.unix.as_secs() as i32;
    let salt = |n: i32| FutureSalt { valid_since: now + n * 1800, valid_until: now + n * 1800 + 3600, salt: n.into() };
    pair.server.set_future_salts((-1..2 * hours).map(salt).collect());
    // The client has another until it hears of these.
    pair.call();
    pair.wait(seconds(60));
    pair.settle();
    pair.client_events();
    pair.server_events();
    pair.errors.clear();
    pair
}

/// The requests for salts in these packets.
fn requests(packets: &[bytes::Bytes]) -> usize {
    let messages = packets.iter().flat_map(|packet| messages(Side::Client, packet));
    messages.filter(|(_, _, body)| constructor(body) == GET_FUTURE_SALTS).count()
}

/// Lets the time pass, a call every so often.
fn run(pair: &mut Pair, time: u64, every: u64) {
    let end = pair.now.mono + seconds(time);
    while pair.now.mono < end {
        pair.wait(seconds(every));
        pair.settle();
        pair.server_events();
        pair.call();
    }
}

#[test]
fn a_session_of_four_days_never_meets_bad_server_salt() {
    let mut pair = rotating(5 * 24);
    run(&mut pair, 4 * 24 * HOUR, 1397);
    assert_eq!(pair.errors, []);
    assert!(pair.client.server_salt(pair.client_now()) > 180, "the salt has changed every half-hour");
}

#[test]
fn neither_does_one_whose_clock_gains_or_loses_twenty_seconds_a_day() {
    for gains in [-230e-6, 230e-6] {
        let mut pair = rotating(5 * 24);
        pair.client_gains = gains;
        run(&mut pair, 4 * 24 * HOUR, 1397);
        assert_eq!(pair.errors, [], "{gains}");
    }
}

#[test]
fn nor_one_that_says_nothing_but_pings_for_half_a_day() {
    let mut pair = rotating(3 * 24);
    for _ in 0..12 * 60 {
        pair.wait(seconds(60));
        pair.settle();
    }
    pair.call();
    assert_eq!(pair.errors, []);
}

#[test]
fn salts_are_asked_for_when_the_session_has_begun() {
    let mut pair = Pair::new();
    pair.wait(seconds(1));
    assert_eq!(pair.client_packets().len(), 0, "nobody has answered yet");
    pair.call();
    assert_eq!(pair.client.poll_timeout(), Some(pair.now.mono));
    pair.wait(seconds(0));
    assert_eq!(requests(&pair.client_packets()), 1);
    pair.wait(seconds(59));
    assert_eq!(requests(&pair.client_packets()), 0);
    pair.wait(seconds(1));
    assert_eq!(requests(&pair.client_packets()), 1, "no answer for a minute");
}

#[test]
fn more_salts_are_asked_for_when_half_of_the_time_is_over_that_the_known_ones_last() {
    // 64 salts last for 32 hours.
    let mut pair = rotating(100);
    let mut asked = Vec::new();
    for minute in 1..=48 * 60 {
        pair.wait(seconds(60));
        let packets = pair.client_packets();
        if requests(&packets) > 0 {
            asked.push(minute / 60);
        }
        packets.iter().for_each(|packet| pair.deliver_to_server(packet));
        pair.settle();
    }
    assert_eq!(asked, [16, 32, 48]);
}

#[test]
fn each_salt_that_comes_into_use_is_told_so_that_it_can_be_stored() {
    let mut pair = rotating(100);
    let mut told = Vec::new();
    for _ in 0..4 * 60 {
        pair.wait(seconds(60));
        pair.settle();
        told.extend(pair.client_events().into_iter().filter_map(|event| match event {
            Event::SaltChanged(salt) => Some(salt),
            _ => None,
        }));
    }
    assert_eq!(told, [0, 1, 2, 3, 4, 5, 6, 7, 8]);
}

#[test]
fn a_salt_that_is_refused_makes_the_client_ask_anew() {
    let mut pair = rotating(100);
    let salt = FutureSalt { valid_since: 0, valid_until: i32::MAX, salt: 99 };
    pair.server.set_future_salts(vec![salt]);
    pair.call();
    pair.wait(seconds(0));
    assert_eq!(requests(&pair.client_packets()), 1);
}

#[test]
fn salts_that_answer_no_request_are_not_taken() {
    let mut pair = Pair::connected();
    let now = pair.now.unix.as_secs() as i32;
    let salts = Writer::new(FUTURE_SALTS).long(12).int(now).int(1).int(now - 100).int(now + 3600).long(666).done();
    pair.deliver_to_client(&Forged::new(msg_id(pair.now.unix, 900, 1), 0, salts).packet(Side::Server));
    assert_eq!(pair.client.server_salt(pair.now), SALT);
}

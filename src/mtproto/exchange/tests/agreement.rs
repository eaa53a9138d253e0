//! Client and server agree.

use std::sync::Mutex;

use super::super::{Agreed, ClientExchange, ExchangeError, ServerExchange, is_plain};
use super::{KEY, NOW, at, public_keys};
use crate::crypto::{Random, SeededRandom};
use crate::mtproto::MsgId;

fn server() -> ServerExchange {
    ServerExchange::new(KEY.clone())
}

/// Carries packets between the two until both are done, or one refuses.
fn run(
    client: &mut ClientExchange,
    server: &mut ServerExchange,
    server_ahead: u64,
) -> Result<(Agreed, Agreed), ExchangeError> {
    let (mut client_random, mut server_random) = (SeededRandom::new(11), SeededRandom::new(12));
    for _ in 0..20 {
        if let Some(packet) = client.poll_packet() {
            assert!(is_plain(&packet) && packet.len() % 4 == 0);
            server.handle_packet(&packet, at(NOW + server_ahead), &mut server_random)?;
        }
        if let Some(packet) = server.poll_packet() {
            assert!(is_plain(&packet) && packet.len() % 4 == 0);
            client.handle_packet(&packet, at(NOW), &mut client_random)?;
        }
        if let Some(agreed) = client.poll_done() {
            return Ok((agreed, server.poll_done().expect("the server was done before")));
        }
    }
    panic!("the exchange does not end");
}

fn client() -> ClientExchange {
    ClientExchange::new(&public_keys(), 2, &mut SeededRandom::new(1), at(NOW))
}

#[test]
fn both_sides_come_to_the_same_key_and_salt() {
    let (ours, theirs) = run(&mut client(), &mut server(), 0).expect("agreement");
    assert_eq!(ours.auth_key, theirs.auth_key);
    assert_eq!(ours.server_salt, theirs.server_salt);
    assert_eq!((ours.dc, theirs.dc), (Some(2), Some(2)));
    assert_eq!((ours.expires_in, theirs.expires_in), (None, None));
}

#[test]
fn a_temporary_key_tells_the_server_when_it_expires() {
    let mut client = ClientExchange::temporary(&public_keys(), 10002, 3600, &mut SeededRandom::new(1), at(NOW));
    let (ours, theirs) = run(&mut client, &mut server(), 0).expect("agreement");
    assert_eq!((ours.expires_in, theirs.expires_in), (Some(3600), Some(3600)));
    assert_eq!(theirs.dc, Some(10002));
}

#[test]
fn one_server_value_serves_one_exchange_after_the_other() {
    let mut server = server();
    let (first, _) = run(&mut client(), &mut server, 0).expect("agreement");
    let mut again = ClientExchange::temporary(&public_keys(), 2, 60, &mut SeededRandom::new(3), at(NOW));
    let (second, _) = run(&mut again, &mut server, 0).expect("agreement");
    assert_ne!(first.auth_key, second.auth_key);
}

#[test]
fn the_client_learns_how_far_its_clock_is_off() {
    let (ours, theirs) = run(&mut client(), &mut server(), 100).expect("agreement");
    assert_eq!((ours.time_offset, theirs.time_offset), (100, 0));
    let mut fast = ClientExchange::new(&public_keys(), 2, &mut SeededRandom::new(1), at(NOW));
    let mut behind = server();
    let (mut a, mut b) = (SeededRandom::new(1), SeededRandom::new(2));
    while let Some(packet) = fast.poll_packet() {
        behind.handle_packet(&packet, at(NOW - 100), &mut b).expect("an honest client");
        fast.handle_packet(&behind.poll_packet().expect("an answer"), at(NOW), &mut a).expect("an honest server");
    }
    assert_eq!(fast.poll_done().expect("agreement").time_offset, -100);
}

#[test]
fn a_key_that_is_taken_is_tried_again_with_another_b() {
    let seen = std::sync::Arc::new(Mutex::new(Vec::new()));
    let ids = seen.clone();
    let mut server = server().with_taken(move |id| {
        let mut ids = ids.lock().expect("no test panics with the lock");
        ids.push(id);
        ids.len() < 3
    });
    let (ours, theirs) = run(&mut client(), &mut server, 0).expect("agreement at the third try");
    assert_eq!(ours.auth_key, theirs.auth_key);
    let seen = seen.lock().expect("no test panics with the lock");
    assert_eq!(seen.len(), 3);
    assert!(seen[0] != seen[1] && seen[1] != seen[2] && seen[2] == ours.auth_key.id());
}

#[test]
fn a_server_that_finds_every_key_taken_ends_the_exchange() {
    let mut server = server().with_taken(|_| true);
    let mut client = client();
    assert_eq!(run(&mut client, &mut server, 0).expect_err("no key"), ExchangeError::TooManyRetries(5));
    // The client hears of it.
    let packet = server.poll_packet().expect("dh_gen_fail");
    let heard = client.handle_packet(&packet, at(NOW), &mut SeededRandom::new(1));
    assert_eq!(heard, Err(ExchangeError::KeyRefused));
}

#[test]
fn message_ids_grow_and_have_the_parity_of_their_side() {
    let (mut client, mut server) = (client(), server());
    let mut random = SeededRandom::new(4);
    let id = |packet: &[u8]| MsgId(i64::from_le_bytes(std::array::from_fn(|i| packet[8 + i])));
    let mut last = (MsgId(0), MsgId(0));
    while let Some(packet) = client.poll_packet() {
        assert!(id(&packet).is_from_client() && id(&packet) > last.0);
        last.0 = id(&packet);
        server.handle_packet(&packet, at(NOW), &mut random).expect("an honest client");
        let packet = server.poll_packet().expect("an answer");
        assert!(id(&packet).is_from_server() && id(&packet) > last.1);
        last.1 = id(&packet);
        client.handle_packet(&packet, at(NOW), &mut random).expect("an honest server");
    }
    assert!(client.poll_done().is_some());
}

#[test]
fn bytes_after_a_message_are_nobody_s() {
    let (mut client, mut server) = (client(), server());
    let mut random = SeededRandom::new(4);
    // Counted in the message's length, as Telegram's servers do, and not counted, as a padded transport does.
    let padded = |mut packet: Vec<u8>, random: &mut SeededRandom| {
        let mut noise = [0; 40];
        random.fill(&mut noise);
        packet.extend_from_slice(&noise);
        let length = packet.len() as u32 - 20 - 12;
        packet[16..20].copy_from_slice(&length.to_le_bytes());
        packet
    };
    while let Some(packet) = client.poll_packet() {
        let packet = padded(packet, &mut random);
        server.handle_packet(&packet, at(NOW), &mut random).expect("an honest client");
        let packet = padded(server.poll_packet().expect("an answer"), &mut random);
        client.handle_packet(&packet, at(NOW), &mut random).expect("an honest server");
    }
    assert!(client.poll_done().is_some());
}

#[test]
fn a_client_that_begins_anew_is_served() {
    let mut server = server();
    let mut random = SeededRandom::new(4);
    let mut given_up = client();
    server.handle_packet(&given_up.poll_packet().expect("req_pq_multi"), at(NOW), &mut random).expect("a question");
    given_up.handle_packet(&server.poll_packet().expect("resPQ"), at(NOW), &mut random).expect("an answer");
    server.handle_packet(&given_up.poll_packet().expect("req_DH_params"), at(NOW), &mut random).expect("a proof");
    run(&mut client(), &mut server, 0).expect("agreement");
}

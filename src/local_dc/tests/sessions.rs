//! Sessions, connections, pushes.

use super::client::*;
use crate::crypto::{AuthKey, Random as _, SeededRandom};
use crate::local_dc::Peer;
use crate::local_dc::api::fields::Fields as _;
use crate::mtproto::Transport;
use crate::tl::Object;

#[tokio::test]
async fn a_message_reaches_all_sessions_but_the_one_that_sent_it() {
    let dc = start().await;
    let (alice, bob) = (dc.add_user("Alice"), dc.add_user("Bob"));
    let mut phone = Client::signed_in(&dc, alice, 1).await;
    // Two sessions of one key, and a key of its own.
    let mut second = Client::connect(&dc, phone.key.clone(), 2, Transport::Abridged).await;
    let mut desktop = Client::signed_in(&dc, alice, 3).await;
    let mut other = Client::signed_in(&dc, bob, 4).await;
    for client in [&mut phone, &mut second, &mut desktop, &mut other] {
        client.call(state()).await;
    }
    phone.call(message(&dc, alice, bob, "hello")).await;
    for client in [&mut second, &mut desktop, &mut other] {
        assert_eq!(client.texts(1).await, ["hello"]);
    }
    assert_eq!(phone.pushed().await, [], "who sent it has it in the answer");
}

#[tokio::test]
async fn every_transport_is_found_out() {
    let dc = start().await;
    let alice = dc.add_user("Alice");
    let key = Client::signed_in(&dc, alice, 1).await.key;
    for (session, transport) in
        (2..).zip([Transport::Abridged, Transport::Intermediate, Transport::Padded, Transport::Full])
    {
        let mut client = Client::connect(&dc, key.clone(), session, transport).await;
        assert_eq!(client.call(state()).await.small("pts"), 1, "{transport:?}");
    }
}

/// <https://core.telegram.org/mtproto/mtproto-transports#quick-ack>
#[tokio::test]
async fn packets_are_acknowledged_quickly_in_every_transport_but_full() {
    let dc = start().await;
    let alice = dc.add_user("Alice");
    let key = Client::signed_in(&dc, alice, 1).await.key;
    for (session, transport) in (2..).zip([Transport::Abridged, Transport::Intermediate, Transport::Padded]) {
        let mut client = Client::connect(&dc, key.clone(), session, transport).await;
        let call = client.send(&state());
        client.reply(call).await.unwrap();
        assert_eq!((client.quick_acks.len(), &client.received[..]), (1, &[call][..]), "{transport:?}");
    }
    let mut client = Client::connect(&dc, key.clone(), 9, Transport::Full).await;
    client.call(state()).await;
    assert_eq!(client.quick_acks, [] as [u32; 0]);
}

#[tokio::test]
async fn a_packet_that_is_refused_is_not_acknowledged_quickly() {
    let dc = start().await;
    let alice = dc.add_user("Alice");
    let key = Client::signed_in(&dc, alice, 1).await.key;
    let mut client = Client::connect_with_salt(&dc, key, 2, 12).await;
    client.call(state()).await;
    // The call came twice, once with a wrong salt.
    assert_eq!(client.quick_acks.len(), 1);
}

#[tokio::test]
async fn an_unknown_auth_key_is_told_so() {
    let dc = start().await;
    let mut client = Client::connect(&dc, AuthKey::new([9; 256]), 1, Transport::Intermediate).await;
    client.send(&state());
    assert_eq!(client.end().await, Some(-404));
}

#[tokio::test]
async fn a_new_session_is_announced_and_an_old_one_is_not() {
    let dc = start().await;
    let alice = dc.add_user("Alice");
    let mut client = Client::signed_in(&dc, alice, 1).await;
    client.call(state()).await;
    assert_eq!(client.renewed, 1);
    let mut client = client.reconnect().await;
    client.call(state()).await;
    assert_eq!(client.renewed, 1, "the session lives on");
    assert_eq!(dc.connections(), 2);
}

#[tokio::test]
async fn a_packet_played_again_on_another_connection_does_not_divert_the_session() {
    let dc = start().await;
    let (alice, bob) = (dc.add_user("Alice"), dc.add_user("Bob"));
    let mut client = Client::signed_in(&dc, bob, 1).await;
    let call = client.send(&state());
    let recorded = client.flush_recorded().await;
    client.reply(call).await.expect("an answer");
    let _other = play_again(&dc, &recorded).await;
    dc.send(alice, Peer::User(bob), "for Bob's eyes").unwrap();
    assert_eq!(client.texts(1).await, ["for Bob's eyes"]);
}

#[tokio::test]
async fn what_a_session_misses_is_in_the_difference() {
    let dc = start().await;
    let (alice, bob) = (dc.add_user("Alice"), dc.add_user("Bob"));
    let mut client = Client::signed_in(&dc, bob, 1).await;
    let pts = client.call(state()).await.small("pts");
    dc.drop_connections();
    while !dc.shared.dc().is_idle() {
        tokio::task::yield_now().await;
    }
    for text in ["one", "two", "three"] {
        dc.send(alice, Peer::User(bob), text).unwrap();
    }
    let mut client = client.reconnect().await;
    assert_eq!(
        client
            .call(difference(pts))
            .await
            .objects("new_messages")
            .map(|m| m.text("message").to_owned())
            .collect::<Vec<_>>(),
        ["one", "two", "three"]
    );
    assert_eq!(client.update().await.name(), "updatesTooLong", "the session is told that it missed something");
    assert_eq!(client.call(difference(dc.pts(bob))).await.name(), "updates.differenceEmpty");
}

#[tokio::test]
async fn pushes_and_difference_agree() {
    let dc = start().await;
    let (alice, bob) = (dc.add_user("Alice"), dc.add_user("Bob"));
    let mut client = Client::signed_in(&dc, bob, 1).await;
    let mut pts = client.call(state()).await.small("pts");
    let first = pts;
    let mut author = Client::signed_in(&dc, alice, 2).await;
    for number in 0..20 {
        author.call(message(&dc, alice, bob, &number.to_string())).await;
    }
    let mut pushed = Vec::new();
    while pushed.len() < 20 {
        for update in client.update().await.objects("updates") {
            assert_eq!(update.small("pts"), pts + update.small("pts_count"), "no gap");
            pts = update.small("pts");
            pushed.push(update.inner("message").unwrap().clone());
        }
    }
    let fetched = client.call(difference(first)).await;
    assert_eq!(fetched.objects("new_messages").cloned().collect::<Vec<_>>(), pushed);
}

#[tokio::test]
async fn a_session_without_updates_gets_none() {
    let dc = start().await;
    let (alice, bob) = (dc.add_user("Alice"), dc.add_user("Bob"));
    let mut client = Client::signed_in(&dc, bob, 1).await;
    client.call(Object::new("invokeWithoutUpdates").with("query", state())).await;
    dc.send(alice, Peer::User(bob), "one").unwrap();
    client.call(Object::new("invokeWithoutUpdates").with("query", state())).await;
    client.call(state()).await;
    dc.send(alice, Peer::User(bob), "two").unwrap();
    assert_eq!(client.texts(1).await, ["two"]);
}

#[tokio::test]
async fn a_client_that_does_not_read_is_disconnected_and_catches_up() {
    let dc = start().await;
    let (alice, bob) = (dc.add_user("Alice"), dc.add_user("Bob"));
    let mut client = Client::signed_in(&dc, bob, 1).await;
    let pts = client.call(state()).await.small("pts");
    let mut random = SeededRandom::new(1);
    // Such that no compression makes it small.
    let text: String = (0..1300).map(|_| char::from_u32(0x4E00 + (random.u64() % 20_000) as u32).unwrap()).collect();
    let mut sent = 0;
    // The socket's buffers take some megabytes before the backlog grows.
    while !dc.shared.dc().is_idle() {
        dc.send(alice, Peer::User(bob), &text).unwrap();
        sent += 1;
        assert!(sent < 20_000, "the backlog is bounded");
        if sent % 100 == 0 {
            tokio::task::yield_now().await;
        }
    }
    let mut client = client.reconnect().await;
    assert!(client.call(difference(pts)).await.name().starts_with("updates.difference"));
    assert_eq!(client.renewed, 2, "the old session is forgotten");
}

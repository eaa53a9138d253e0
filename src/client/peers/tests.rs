use super::*;
use crate::tl::{Object, encode};

fn raw(object: &Object) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(object, &mut bytes).unwrap();
    bytes
}

fn note(peers: &Peers, objects: &[Object]) {
    let bytes: Vec<Vec<u8>> = objects.iter().map(raw).collect();
    let mut noting = peers.note();
    for bytes in &bytes {
        noting.seen(Raw::new(bytes).unwrap());
    }
}

fn alice() -> Object {
    Object::new("user").with("id", 7).with("access_hash", 70).with("first_name", "Alice").with("username", "alice")
}

fn peers() -> Peers {
    Peers::new(Session::in_memory().unwrap())
}

#[test]
fn bot_api_ids_and_peers_are_two_ways_to_say_the_same() {
    fn check(id: i64, peer: Peer) {
        assert_eq!(Peer::from_id(id), Some(peer));
        assert_eq!(peer.id(), id);
    }
    check(1, Peer::User(1));
    check(7_000_000_000, Peer::User(7_000_000_000));
    check(-5, Peer::Chat(5));
    check(-1_000_000_000_001, Peer::Channel(1));
    check(-1_002_147_483_648, Peer::Channel(2_147_483_648));
    for id in [0, i64::MIN, -1_000_000_000_000] {
        assert_eq!(Peer::from_id(id), None);
    }
}

#[test]
fn whoever_was_seen_can_be_named_in_a_call() {
    let peers = peers();
    let group = Object::new("chatForbidden").with("id", 5).with("title", "Group");
    let channel = Object::new("channel")
        .with("id", 9)
        .with("access_hash", 90)
        .with("title", "News")
        .with("photo", Object::new("chatPhotoEmpty"))
        .with("date", 1);
    note(&peers, &[alice(), group, channel]);
    assert_eq!(peers.input_peer(7), Some(InputPeer::User { id: 7, access_hash: 70 }));
    assert_eq!(peers.input_peer(-5), Some(InputPeer::Chat { id: 5 }));
    let channel = Peer::Channel(9);
    assert_eq!(peers.input_peer(channel.id()), Some(InputPeer::Channel { id: 9, access_hash: 90 }));
    assert_eq!(peers.get(channel.id()).unwrap().name, "News");
    assert_eq!(peers.username("@ALICE"), Some(7));
    assert_eq!(peers.user(7).unwrap(), raw(&alice()));
    assert_eq!(peers.input_peer(8), None);
    peers.set_me(1, true);
    assert_eq!(peers.input_peer(8), Some(InputPeer::User { id: 8, access_hash: 0 }), "a bot needs no hash");
    assert_eq!(peers.input_peer(1), Some(InputPeer::SelfUser));
}

#[test]
fn a_min_user_leaves_the_access_hash_as_it_was() {
    let peers = peers();
    note(&peers, &[alice()]);
    let min = Object::new("user").with("id", 7).with("min", true).with("access_hash", 1).with("first_name", "Al");
    note(&peers, std::slice::from_ref(&min));
    assert_eq!(peers.input_peer(7), Some(InputPeer::User { id: 7, access_hash: 70 }));
    assert_eq!(peers.get(7).unwrap().name, "Al");
    assert_eq!(peers.user(7).unwrap(), raw(&alice()), "the whole one is kept");
}

#[test]
fn peers_outlive_the_memory_of_them() {
    let session = Session::in_memory().unwrap();
    note(&Peers::new(session.clone()), &[alice()]);
    let peers = Peers::new(session);
    assert_eq!(peers.input_peer(7), Some(InputPeer::User { id: 7, access_hash: 70 }));
    assert_eq!(peers.username("alice"), Some(7));
}

#[test]
fn input_peers_are_written_as_the_schema_has_them() {
    let mut bytes = Vec::new();
    InputPeer::User { id: 7, access_hash: 70 }.write(&mut bytes);
    assert_eq!(bytes, raw(&Object::new("inputPeerUser").with("user_id", 7).with("access_hash", 70)));
    bytes.clear();
    assert!(InputPeer::SelfUser.write_user(&mut bytes));
    assert_eq!(bytes, raw(&Object::new("inputUserSelf")));
    assert!(!InputPeer::SelfUser.write_channel(&mut bytes) && !InputPeer::Chat { id: 1 }.write_user(&mut bytes));
}

use std::collections::VecDeque;

use super::sequencer::Fetch;
use super::*;
use crate::client::Client;
use crate::storage::Session;
use crate::tl::{self, Object, encode};

const START: UpdateState = UpdateState { pts: 100, qts: 10, date: 1_000, seq: 5 };
const ME: i64 = 1;
const NOW: Duration = Duration::from_secs(5);

fn bytes(object: &Object) -> Bytes {
    let mut bytes = Vec::new();
    encode(object, &mut bytes).unwrap();
    bytes.into()
}

fn peer_user(id: i64) -> Object {
    Object::new("peerUser").with("user_id", id)
}

fn user(id: i64) -> Object {
    Object::new("user").with("id", id).with("access_hash", id * 10).with("first_name", "Alice")
}

fn message(id: i32, text: &str) -> Object {
    Object::new("message").with("id", id).with("peer_id", peer_user(7)).with("date", 9).with("message", text)
}

fn new_message(id: i32, pts: i32) -> Object {
    let message = message(id, "hello");
    Object::new("updateNewMessage").with("message", message).with("pts", pts).with("pts_count", 1)
}

fn updates(updates: Vec<Object>, users: Vec<Object>) -> Bytes {
    let none: Vec<Object> = Vec::new();
    let container = Object::new("updates").with("updates", updates).with("users", users).with("chats", none);
    bytes(&container.with("date", 1_001).with("seq", 0))
}

/// A stream with one script.
struct Scene {
    updates: Updates,
    queue: crate::client::Subscription,
}

impl Scene {
    fn new(is_bot: bool) -> Scene {
        let peers = Arc::new(Peers::new(Session::in_memory().unwrap()));
        peers.set_me(ME, is_bot);
        let mut updates = Updates::new(START, vec![(77, 50)], peers, (ME, is_bot), NOW);
        let queue = crate::client::Subscription::new(updates.subscribe("script"));
        Scene { updates, queue }
    }

    fn handle(&mut self, bytes: Bytes) {
        self.updates.handle(bytes, NOW);
    }

    /// What was handed on, decoded.
    fn delivered(&self) -> Vec<Object> {
        self.drain().iter().map(|update| tl::decode_object(update.raw()).unwrap()).collect()
    }

    fn drain(&self) -> VecDeque<Arc<Update>> {
        let mut waiting = VecDeque::new();
        self.queue.drain(&mut waiting, usize::MAX);
        waiting
    }

    fn message_ids(&self) -> Vec<i64> {
        let id = |update: &Object| update.object("message").and_then(|message| message.int("id")).unwrap_or(0);
        self.delivered().iter().map(id).collect()
    }

    fn saved(&mut self) -> Option<UpdateState> {
        self.updates.take_saved().map(|(state, _)| state)
    }
}

#[test]
fn an_update_brings_its_bytes_its_place_and_its_peers() {
    let mut scene = Scene::new(true);
    scene.handle(updates(vec![new_message(5, 101)], vec![user(7), user(8)]));
    let waiting = scene.drain();
    let update = &waiting[0];
    assert_eq!((update.seq, update.id, update.date), (1, types::UpdateNewMessage::ID, 1_001));
    assert_eq!(update.place, Some(Place { mailbox: Mailbox::Common, pts: 101, count: 1 }));
    assert_eq!(update.raw(), bytes(&new_message(5, 101)));
    assert_eq!(update.user(8).unwrap().bytes(), bytes(&user(8)));
    assert!(update.user(9).is_none() && update.chat(7).is_none());
    assert!(scene.updates.peers.input_peer(7).is_some());
}

#[test]
fn updates_out_of_order_reach_scripts_in_order() {
    let mut scene = Scene::new(true);
    scene.handle(updates(vec![new_message(3, 103), new_message(2, 102)], vec![]));
    assert_eq!(scene.message_ids(), [0i64; 0]);
    scene.handle(updates(vec![new_message(1, 101)], vec![]));
    assert_eq!(scene.message_ids(), [1, 2, 3]);
}

#[test]
fn a_short_message_becomes_the_message_it_is_short_for() {
    let mut scene = Scene::new(true);
    scene.handle(updates(vec![new_message(1, 101)], vec![user(7)]));
    scene.drain();
    let entities = vec![Object::new("messageEntityBold").with("offset", 0).with("length", 2)];
    let short = Object::new("updateShortMessage")
        .with("silent", true)
        .with("id", 2)
        .with("user_id", 7)
        .with("message", "hi")
        .with("pts", 102)
        .with("pts_count", 1)
        .with("date", 9)
        .with("entities", entities.clone());
    scene.handle(bytes(&short));
    let expected = message(2, "hi").with("silent", true).with("from_id", peer_user(7)).with("entities", entities);
    let waiting = scene.drain();
    let update = tl::decode_object(waiting[0].raw()).unwrap();
    assert_eq!(update.object("message"), Some(&expected));
    assert_eq!(update.int("pts"), Some(102));
    assert_eq!(waiting[0].user(7).unwrap().bytes(), bytes(&user(7)), "with the sender as last seen");
}

#[test]
fn a_short_message_of_a_stranger_has_the_difference_fetched() {
    let mut scene = Scene::new(true);
    let short = Object::new("updateShortChatMessage")
        .with("id", 2)
        .with("from_id", 7)
        .with("chat_id", 5)
        .with("message", "hi")
        .with("pts", 101)
        .with("pts_count", 1)
        .with("date", 9);
    scene.handle(bytes(&short));
    assert_eq!(scene.message_ids(), [0i64; 0]);
    assert_eq!(scene.updates.poll_fetch(NOW), Some(Fetch::Difference(START)));
}

#[test]
fn bytes_that_cannot_be_read_change_nothing_and_have_the_difference_fetched() {
    let whole = updates(vec![new_message(1, 101), new_message(2, 102)], vec![user(7)]);
    for length in (0..whole.len()).step_by(4) {
        let mut scene = Scene::new(true);
        scene.handle(whole.slice(..length));
        assert_eq!(scene.message_ids(), [0i64; 0], "{length}");
        assert_eq!(scene.updates.poll_fetch(NOW), Some(Fetch::Difference(START)), "{length}");
    }
}

#[test]
fn the_host_s_own_messages_take_their_place_and_are_not_handed_on() {
    let mut scene = Scene::new(false);
    let call = bytes(&Object::new("help.getConfig"));
    let own = new_message(5, 101).with("message", message(5, "mine").with("out", true));
    let id = Object::new("updateMessageID").with("id", 5).with("random_id", 99);
    scene.updates.own_result(&call, &updates(vec![id, own], vec![user(7)]), NOW);
    let sent = Object::new("updateShortSentMessage").with("out", true).with("id", 6).with("date", 9);
    scene.updates.own_result(&call, &bytes(&sent.with("pts", 102).with("pts_count", 1)), NOW);
    let affected = Object::new("messages.affectedMessages").with("pts", 104).with("pts_count", 2);
    scene.updates.own_result(&call, &bytes(&affected), NOW);
    assert_eq!(scene.delivered(), []);
    scene.handle(updates(vec![new_message(7, 105)], vec![]));
    assert_eq!(scene.message_ids(), [7]);
    assert!(scene.updates.peers.input_peer(7).is_some());
}

#[test]
fn what_a_call_affected_in_a_channel_is_counted_there() {
    let mut scene = Scene::new(true);
    let channel = Object::new("inputChannel").with("channel_id", 77).with("access_hash", 1);
    let call = bytes(&Object::new("channels.deleteMessages").with("channel", channel).with("id", vec![1, 2]));
    let affected = Object::new("messages.affectedMessages").with("pts", 52).with("pts_count", 2);
    scene.updates.own_result(&call, &bytes(&affected), NOW);
    assert_eq!(scene.updates.sequencer.channel(77), Some(52));
    assert_eq!(scene.updates.sequencer.state(), START);
}

#[test]
fn messages_that_others_wrote_are_news_in_a_result_too() {
    let mut scene = Scene::new(true);
    let call = bytes(&Object::new("help.getConfig"));
    scene.updates.own_result(&call, &updates(vec![new_message(5, 101)], vec![]), NOW);
    assert_eq!(scene.message_ids(), [5]);
}

fn difference(name: &str, messages: Vec<Object>, others: Vec<Object>, pts: i32) -> Bytes {
    let none: Vec<Object> = Vec::new();
    let state = Object::new("updates.state").with("pts", pts).with("qts", 10).with("date", 2_000).with("seq", 5);
    let field = if name == "updates.difference" { "state" } else { "intermediate_state" };
    let difference = Object::new(name)
        .with("new_messages", messages)
        .with("new_encrypted_messages", none.clone())
        .with("other_updates", others)
        .with("chats", none)
        .with("users", vec![user(7)]);
    bytes(&difference.with(field, state.with("unread_count", 0)))
}

#[test]
fn a_difference_is_handed_on_in_order_before_what_came_meanwhile() {
    let mut scene = Scene::new(true);
    scene.handle(updates(vec![new_message(4, 104)], vec![]));
    scene.updates.fetch_difference(NOW);
    assert!(scene.updates.poll_fetch(NOW).is_some());
    let slice = difference("updates.differenceSlice", vec![message(1, "a"), message(2, "b")], vec![], 102);
    scene.updates.difference(slice, NOW).unwrap();
    assert_eq!(scene.updates.poll_fetch(NOW), Some(Fetch::Difference(UpdateState { pts: 102, date: 2_000, ..START })));
    scene.updates.difference(difference("updates.difference", vec![message(3, "c")], vec![], 103), NOW).unwrap();
    let waiting = scene.drain();
    let ids: Vec<i64> = waiting
        .iter()
        .map(|update| tl::decode_object(update.raw()).unwrap().object("message").unwrap().int("id").unwrap())
        .collect();
    assert_eq!(ids, [1, 2, 3, 4]);
    assert_eq!(waiting[0].id, types::UpdateNewMessage::ID);
    assert!(waiting[2].user(7).is_some(), "each finds its peers");
}

#[test]
fn a_difference_is_saved_when_its_last_update_is_delivered() {
    let mut scene = Scene::new(true);
    scene.updates.fetch_difference(NOW);
    assert!(scene.updates.poll_fetch(NOW).is_some());
    let answer = difference("updates.difference", vec![message(1, "a"), message(2, "b")], vec![], 102);
    scene.updates.difference(answer, NOW).unwrap();
    scene.queue.set_delivered(1);
    assert_eq!(scene.saved(), None);
    scene.queue.set_delivered(2);
    assert_eq!(scene.saved().unwrap().pts, 102);
}

#[test]
fn other_updates_of_a_difference_are_not_counted_again() {
    let mut scene = Scene::new(true);
    scene.updates.fetch_difference(NOW);
    assert!(scene.updates.poll_fetch(NOW).is_some());
    let delete = Object::new("updateDeleteMessages").with("messages", vec![1]).with("pts", 109).with("pts_count", 1);
    let channel = Object::new("updateDeleteChannelMessages").with("channel_id", 77).with("messages", vec![1]);
    let channel = channel.with("pts", 51).with("pts_count", 1);
    let behind = Object::new("updateChannelTooLong").with("channel_id", 78).with("pts", 9);
    let answer = difference("updates.difference", vec![], vec![delete.clone(), channel.clone(), behind], 110);
    scene.updates.difference(answer, NOW).unwrap();
    assert_eq!(scene.delivered(), [delete, channel]);
    assert_eq!(scene.updates.sequencer.state().pts, 110);
    assert_eq!(scene.updates.sequencer.channel(77), Some(51));
    assert_eq!(scene.updates.sequencer.channel(78), Some(9));
}

#[test]
fn a_difference_without_anything_ends_the_request() {
    let mut scene = Scene::new(true);
    scene.updates.fetch_difference(NOW);
    assert!(scene.updates.poll_fetch(NOW).is_some());
    let empty = Object::new("updates.differenceEmpty").with("date", 3_000).with("seq", 6);
    scene.updates.difference(bytes(&empty), NOW).unwrap();
    assert!(!scene.updates.position().behind);
    assert_eq!(scene.updates.sequencer.state(), UpdateState { date: 3_000, seq: 6, ..START });
}

#[test]
fn a_channel_s_difference_is_handed_on() {
    let mut scene = Scene::new(true);
    let too_long = Object::new("updateChannelTooLong").with("channel_id", 77).with("pts", 60);
    scene.handle(updates(vec![too_long], vec![]));
    assert_eq!(scene.updates.poll_fetch(NOW), Some(Fetch::Channel { id: 77, pts: 50 }));
    let none: Vec<Object> = Vec::new();
    let in_channel = message(9, "news").with("peer_id", Object::new("peerChannel").with("channel_id", 77));
    let answer = Object::new("updates.channelDifference")
        .with("final", true)
        .with("pts", 60)
        .with("timeout", 30)
        .with("new_messages", vec![in_channel])
        .with("other_updates", none.clone())
        .with("chats", none.clone())
        .with("users", none);
    scene.updates.channel_difference(77, bytes(&answer), NOW).unwrap();
    let update = &scene.delivered()[0];
    assert_eq!(update.name(), "updateNewChannelMessage");
    assert_eq!(scene.updates.sequencer.channel(77), Some(60));
    assert!(!scene.updates.position().behind);
}

#[test]
fn the_state_waits_for_the_slowest_script_and_not_for_one_that_is_gone() {
    let mut scene = Scene::new(true);
    let slow = crate::client::Subscription::new(scene.updates.subscribe("slow"));
    scene.handle(updates(vec![new_message(1, 101), new_message(2, 102)], vec![]));
    scene.queue.set_delivered(2);
    assert_eq!(scene.saved(), None);
    slow.set_delivered(1);
    assert_eq!(scene.saved().unwrap().pts, 101);
    drop(slow);
    assert_eq!(scene.saved().unwrap().pts, 102);
}

#[test]
fn what_nobody_hears_is_saved_at_once() {
    let mut scene = Scene::new(true);
    scene.queue = crate::client::Subscription::new(scene.updates.subscribe("another"));
    let queue = std::mem::replace(&mut scene.queue, crate::client::Subscription::new(scene.updates.subscribe("c")));
    drop(queue);
    scene.queue.set_delivered(0);
    scene.handle(updates(vec![new_message(1, 101)], vec![]));
    assert_eq!(scene.saved(), None);
    scene.queue.set_delivered(1);
    assert_eq!(scene.saved().unwrap().pts, 101);
}

#[tokio::test]
async fn a_detached_client_hands_on_what_it_is_fed() {
    let client = Client::detached();
    let queue = client.subscribe("script");
    client.feed(updates(vec![new_message(1, 1), new_message(2, 2)], vec![user(7)]));
    queue.ready().await;
    assert_eq!(queue.queued(), 2);
    assert_eq!(client.position().assigned, 2);
    let error = client.invoke(bytes(&Object::new("help.getConfig"))).await.unwrap_err();
    assert!(matches!(error, crate::client::CallError::Closed { .. }), "{error}");
    drop(client);
    assert!(queue.is_closed());
}

/// A measurement, for `cargo test --release --lib -- --ignored --nocapture feeding`.
#[test]
#[ignore = "prints a figure"]
fn feeding_costs_far_less_than_a_microsecond_an_update() {
    const COUNT: usize = 2_000_000;
    let hex = std::fs::read_to_string("tests/samples/update_cmd.hex").unwrap();
    let digits: Vec<u8> = hex.trim().bytes().map(|digit| (digit as char).to_digit(16).unwrap() as u8).collect();
    let sample: Vec<u8> = digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    let at = sample.windows(4).position(|bytes| bytes == 0x5152_5354u32.to_le_bytes()).unwrap();
    let client = Client::detached();
    let queue = client.subscribe("script");
    let mut taken = VecDeque::new();
    let mut patched = 0;
    let start = client.clock().now().mono;
    for pts in 1..=COUNT {
        let mut bytes = sample.clone();
        bytes[at..at + 4].copy_from_slice(&(pts as u32).to_le_bytes());
        client.feed(bytes.into());
        if pts % 64 == 0 {
            queue.drain(&mut taken, usize::MAX);
            patched += taken.len();
            queue.set_delivered(taken.back().map_or(0, |update| update.seq));
            taken.clear();
        }
    }
    let took = client.clock().now().mono - start;
    assert_eq!(patched, COUNT - COUNT % 64);
    println!("{:.0} ns an update of {} bytes", took.as_nanos() as f64 / COUNT as f64, sample.len());
}

use std::collections::BTreeMap;

use super::*;

const NOON: i32 = 1_800_000_000;

/// A world with two people, Alice and Bob, and a bot.
fn world() -> (World, i64, i64, i64) {
    let mut world = World::new([7; 32]);
    let alice = world.add_person("Alice", "", None);
    let bob = world.add_person("Bob", "", None);
    let bot = world.add_bot("helper_bot", "Helper").id;
    (world, alice, bob, bot)
}

fn say(world: &mut World, from: i64, to: Peer, text: &str) -> Vec<Effect> {
    world.send(from, to, Draft::text(text), None, NOON).expect("may write").1
}

/// The id that the newest message of the chat has in this account's box.
fn newest(world: &World, viewer: i64, peer: Peer) -> i32 {
    *world.account(viewer).unwrap().dialog(peer).unwrap().messages.last().unwrap()
}

fn texts(world: &World, viewer: i64, peer: Peer) -> Vec<String> {
    let (views, _) = world.history(viewer, peer, Page { limit: 100, ..Page::default() }, |_| true);
    let text = |view: &View<'_>| match &view.message.content {
        Content::Text { text, .. } => text.clone(),
        Content::Service(_) => String::new(),
    };
    views.iter().rev().map(text).collect()
}

#[test]
fn each_side_of_a_private_chat_has_ids_and_pts_of_its_own() {
    let (mut world, alice, bob, bot) = world();
    say(&mut world, alice, Peer::User(bot), "one");
    let effects = say(&mut world, alice, Peer::User(bob), "two");
    let of = |account| effects.iter().find(|effect| effect.account == account).unwrap().entry.clone();
    assert_eq!(of(alice), Entry { pts: 3, count: 1, change: Change::New { id: 2 } });
    assert_eq!(of(bob), Entry { pts: 2, count: 1, change: Change::New { id: 1 } });
    assert!(world.view(alice, 2).unwrap().out);
    assert!(!world.view(bob, 1).unwrap().out);
}

#[test]
fn a_message_to_oneself_has_one_copy() {
    let (mut world, alice, ..) = world();
    assert_eq!(say(&mut world, alice, Peer::User(alice), "note").len(), 1);
    assert_eq!(world.unread(alice, Peer::User(alice)), 0);
}

#[test]
fn everyone_in_a_group_gets_a_copy() {
    let (mut world, alice, bob, bot) = world();
    let (group, effects) = world.create_group(alice, "Friends", &[bob, bot], NOON).unwrap();
    assert_eq!(effects.len(), 3);
    assert_eq!(say(&mut world, bob, Peer::Group(group), "hi").len(), 3);
    assert_eq!(texts(&world, bot, Peer::Group(group)), ["", "hi"]);
}

#[test]
fn who_left_a_group_gets_no_more_and_writes_no_more() {
    let (mut world, alice, bob, _) = world();
    let (group, _) = world.create_group(alice, "Friends", &[bob], NOON).unwrap();
    let left = world.remove_member(bob, group, bob, NOON).unwrap();
    assert_eq!(left.len(), 2, "the one who leaves is told as well");
    assert_eq!(say(&mut world, alice, Peer::Group(group), "hi").len(), 1);
    let refused = world.send(bob, Peer::Group(group), Draft::text("hi"), None, NOON).unwrap_err();
    assert_eq!(refused, Refusal::forbidden("CHAT_WRITE_FORBIDDEN"));
}

#[test]
fn a_bot_may_not_write_first() {
    let (mut world, alice, bob, bot) = world();
    let refused = world.send(bot, Peer::User(alice), Draft::text("hi"), None, NOON).unwrap_err();
    assert_eq!(refused, Refusal::bad("PEER_ID_INVALID"));
    say(&mut world, alice, Peer::User(bot), "/start");
    say(&mut world, bot, Peer::User(alice), "hi");
    world.create_group(bob, "Group", &[bot], NOON).unwrap();
    say(&mut world, bot, Peer::User(bob), "we share a group");
}

#[test]
fn the_same_random_id_is_refused() {
    let (mut world, alice, bob, _) = world();
    world.send(alice, Peer::User(bob), Draft::text("hi"), Some(5), NOON).unwrap();
    let refused = world.send(alice, Peer::User(bob), Draft::text("hi"), Some(5), NOON).unwrap_err();
    assert_eq!(refused, Refusal::bad("RANDOM_ID_DUPLICATE"));
    world.send(bob, Peer::User(alice), Draft::text("hi"), Some(5), NOON).expect("another account's ids are its own");
}

#[test]
fn texts_have_their_limits_in_utf16() {
    let (mut world, alice, bob, _) = world();
    let mut check = |text: String, expected: Result<(), &'static str>| {
        let sent = world.send(alice, Peer::User(bob), Draft::text(&text), None, NOON);
        assert_eq!(sent.map(drop), expected.map_err(Refusal::bad));
    };
    check(String::new(), Err("MESSAGE_EMPTY"));
    check("x".repeat(4096), Ok(()));
    check("x".repeat(4097), Err("MESSAGE_TOO_LONG"));
    check("🦀".repeat(2048), Ok(()));
    check("🦀".repeat(2049), Err("MESSAGE_TOO_LONG"));
}

#[test]
fn only_the_author_edits_and_only_what_changes() {
    let (mut world, alice, bob, _) = world();
    say(&mut world, alice, Peer::User(bob), "helo");
    let draft = || Some(Draft::text("hello"));
    let refused = world.edit(bob, Peer::User(alice), 1, draft(), None, NOON).unwrap_err();
    assert_eq!(refused, Refusal::forbidden("MESSAGE_AUTHOR_REQUIRED"));
    let refused = world.edit(alice, Peer::User(bob), 9, draft(), None, NOON).unwrap_err();
    assert_eq!(refused, Refusal::bad("MESSAGE_ID_INVALID"));
    let (_, effects) = world.edit(alice, Peer::User(bob), 1, draft(), None, NOON + 1).unwrap();
    assert_eq!(effects.len(), 2);
    assert_eq!(texts(&world, bob, Peer::User(alice)), ["hello"]);
    let refused = world.edit(alice, Peer::User(bob), 1, draft(), None, NOON + 2).unwrap_err();
    assert_eq!(refused, Refusal::bad("MESSAGE_NOT_MODIFIED"));
    let refused = world.edit(alice, Peer::User(bob), 1, Some(Draft::text("x")), None, NOON + 200_000).unwrap_err();
    assert_eq!(refused, Refusal::bad("MESSAGE_EDIT_TIME_EXPIRED"));
}

#[test]
fn a_deletion_counts_the_messages_that_were_there() {
    let (mut world, alice, bob, _) = world();
    for text in ["one", "two", "three"] {
        say(&mut world, alice, Peer::User(bob), text);
    }
    let effects = world.delete(alice, &[1, 3, 77], true).unwrap();
    let counts: Vec<i32> = effects.iter().map(|effect| effect.entry.count).collect();
    assert_eq!(counts, [2, 2]);
    assert_eq!(texts(&world, bob, Peer::User(alice)), ["two"]);
    let effects = world.delete(alice, &[2], false).unwrap();
    assert_eq!(effects.len(), 1, "without revoke only one's own copy goes");
    assert_eq!(texts(&world, bob, Peer::User(alice)), ["two"]);
}

#[test]
fn in_a_group_others_messages_are_deleted_by_its_creator_only() {
    let (mut world, alice, bob, _) = world();
    let (group, _) = world.create_group(alice, "Friends", &[bob], NOON).unwrap();
    say(&mut world, alice, Peer::Group(group), "hers");
    let hers = newest(&world, bob, Peer::Group(group));
    assert_eq!(world.delete(bob, &[hers], true).unwrap_err(), Refusal::forbidden("MESSAGE_DELETE_FORBIDDEN"));
    say(&mut world, bob, Peer::Group(group), "his");
    let his = newest(&world, alice, Peer::Group(group));
    assert_eq!(world.delete(alice, &[his], true).unwrap().len(), 2);
}

#[test]
fn reading_tells_the_author_up_to_where() {
    let (mut world, alice, bob, _) = world();
    for text in ["one", "two"] {
        say(&mut world, alice, Peer::User(bob), text);
    }
    assert_eq!(world.unread(bob, Peer::User(alice)), 2);
    let effects = world.read(bob, Peer::User(alice), 1);
    let changes: Vec<&Change> = effects.iter().map(|effect| &effect.entry.change).collect();
    let inbox = Change::ReadInbox { peer: Peer::User(alice), max_id: 1, still_unread: 1 };
    assert_eq!(changes, [&inbox, &Change::ReadOutbox { peer: Peer::User(bob), max_id: 1 }]);
    assert!(world.read(bob, Peer::User(alice), 1).is_empty(), "read once is read");
}

#[test]
fn a_reply_points_at_each_ones_own_copy() {
    let (mut world, alice, bob, bot) = world();
    say(&mut world, bob, Peer::User(bot), "shifts Bob's ids");
    say(&mut world, alice, Peer::User(bob), "question");
    let reply = Draft { reply_to: Some(2), ..Draft::text("answer") };
    world.send(bob, Peer::User(alice), reply, None, NOON).unwrap();
    assert_eq!(world.view(bob, 3).unwrap().reply_to, Some(2));
    assert_eq!(world.view(alice, 2).unwrap().reply_to, Some(1));
    let refused = world.send(bob, Peer::User(alice), Draft { reply_to: Some(1), ..Draft::text("x") }, None, NOON);
    assert_eq!(refused.unwrap_err(), Refusal::bad("REPLY_MESSAGE_ID_INVALID"));
}

#[test]
fn an_access_hash_is_good_for_one_viewer_only() {
    let (mut world, alice, bob, bot) = world();
    let refusal = Refusal::bad("USER_ID_INVALID");
    let hash = world.access_hash(alice, bob);
    assert_eq!(world.check_user(alice, bob, hash, refusal.clone()), Ok(bob));
    assert_eq!(world.check_user(bot, bob, hash, refusal.clone()), Err(refusal.clone()));
    assert_eq!(world.check_user(bot, bob, 0, refusal.clone()), Err(refusal.clone()), "they have not met");
    say(&mut world, bob, Peer::User(bot), "/start");
    assert_eq!(world.check_user(bot, bob, 0, refusal.clone()), Ok(bob));
    assert_eq!(world.check_user(alice, bob, 0, refusal.clone()), Err(refusal), "people may not leave it out");
}

#[test]
fn history_pages_as_offsets_say() {
    let (mut world, alice, bob, _) = world();
    for number in 1..=10 {
        say(&mut world, alice, Peer::User(bob), &number.to_string());
    }
    let check = |page: Page, expected: &[i32]| {
        let (views, all) = world.history(bob, Peer::User(alice), page, |_| true);
        assert_eq!(all, 10);
        assert_eq!(views.iter().map(|view| view.id).collect::<Vec<_>>(), expected, "{page:?}");
    };
    check(Page { limit: 3, ..Page::default() }, &[10, 9, 8]);
    check(Page { limit: 3, offset_id: 8, ..Page::default() }, &[7, 6, 5]);
    check(Page { limit: 3, offset_id: 8, add_offset: 1, ..Page::default() }, &[6, 5, 4]);
    check(Page { limit: 3, offset_id: 5, add_offset: -2, ..Page::default() }, &[6, 5, 4]);
    check(Page { limit: 5, offset_id: 9, add_offset: -4, ..Page::default() }, &[10, 9, 8]);
    check(Page { limit: 100, min_id: 7, ..Page::default() }, &[10, 9, 8]);
    check(Page { limit: 100, max_id: 3, ..Page::default() }, &[2, 1]);
    check(Page { limit: 5, offset_id: 1, ..Page::default() }, &[]);
    // All of them are of the same second.
    check(Page { limit: 3, offset_date: NOON, ..Page::default() }, &[]);
    check(Page { limit: 3, offset_date: NOON + 1, ..Page::default() }, &[10, 9, 8]);
    check(Page { limit: 3, offset_id: 8, offset_date: NOON, ..Page::default() }, &[7, 6, 5]);
}

/// The world changes at random; whoever listens to all effects and whoever asks for differences in slices of any size see the
/// same entries, whose pts have no gap.
#[test]
fn differences_bring_what_was_pushed() {
    let (mut world, alice, bob, bot) = world();
    let (group, created) = world.create_group(alice, "Friends", &[bob, bot], NOON).unwrap();
    let mut pushed: BTreeMap<i64, Vec<Entry>> = BTreeMap::new();
    let mut note =
        |effects: Vec<Effect>| effects.into_iter().for_each(|e| pushed.entry(e.account).or_default().push(e.entry));
    note(created);
    let mut seed = 1u64;
    let mut roll = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    for step in 0..600 {
        let (who, other) = [(alice, bob), (bob, alice), (alice, bot), (bob, bot)][roll(4) as usize];
        let peer = if roll(2) == 0 { Peer::Group(group) } else { Peer::User(other) };
        let id = roll(120) as i32;
        match roll(5) {
            0 => note(world.delete(who, &[id, id + 1], roll(2) == 0).unwrap_or_default()),
            1 => note(world.read(who, peer, id)),
            2 => note(
                world
                    .edit(who, peer, id, Some(Draft::text(&format!("edit {step}"))), None, NOON)
                    .map(|(_, e)| e)
                    .unwrap_or_default(),
            ),
            _ => note(say(&mut world, who, peer, &format!("message {step}"))),
        }
    }
    for (account, pushed) in pushed {
        let mut pts = 1;
        let mut fetched = Vec::new();
        for slice in 1.. {
            match world.difference(account, pts, Some(slice % 7 + 1), None) {
                Difference::Entries { entries, .. } => fetched.extend(entries),
                Difference::Empty => break,
                Difference::TooLong { .. } => panic!("the log is long enough"),
            }
            pts = fetched.last().map_or(pts, |entry| entry.pts);
        }
        assert_eq!(fetched, pushed);
        let mut count = 1;
        for entry in fetched {
            assert_eq!(entry.pts, count + entry.count, "no gap");
            count = entry.pts;
        }
    }
}

#[test]
fn a_count_out_of_reach_is_too_long() {
    let (mut world, alice, bob, _) = world();
    for number in 0..LOG_LIMIT + 10 {
        say(&mut world, alice, Peer::User(bob), &number.to_string());
    }
    let now = world.account(bob).unwrap().pts();
    let too_long = Difference::TooLong { pts: now };
    assert_eq!(world.difference(bob, 1, None, None), too_long);
    assert_eq!(world.difference(bob, now + 1, None, None), too_long);
    assert_eq!(world.difference(bob, now - 20, None, Some(10)), too_long);
    assert!(matches!(world.difference(bob, now - 20, None, None), Difference::Entries { more: false, .. }));
}

#[test]
fn a_world_survives_being_written_and_read() {
    let (mut world, alice, bob, bot) = world();
    let (group, _) = world.create_group(alice, "Friends", &[bob, bot], NOON).unwrap();
    let draft = Draft { markup: Some(Blob(vec![1, 2, 255])), ..Draft::text("hi") };
    world.send(bob, Peer::Group(group), draft, Some(3), NOON).unwrap();
    let written = serde_json::to_string(&world).unwrap();
    let read: World = serde_json::from_str(&written).unwrap();
    assert_eq!(serde_json::to_string(&read).unwrap(), written);
    assert_eq!(texts(&read, alice, Peer::Group(group)), ["", "hi"]);
}

#[test]
fn bots_are_found_by_token_and_username() {
    let (mut world, _, _, bot) = world();
    let token = world.user(bot).unwrap().bot.as_ref().unwrap().token.clone();
    assert!(token.starts_with(&format!("{bot}:AA")) && token.len() > 40, "{token}");
    assert_eq!(world.by_token(&token), Some(bot));
    assert_eq!(world.by_username("Helper_Bot"), Some(bot));
    assert_eq!(world.add_bot("helper_bot", "Helper").id, bot, "the same again");
}

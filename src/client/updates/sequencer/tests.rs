use super::*;

const START: UpdateState = UpdateState { pts: 100, qts: 10, date: 1_000, seq: 5 };
const CHANNEL: i64 = 77;

/// A sequencer, the time, and what was handed on since the last look.
struct Scene {
    sequencer: Sequencer<&'static str>,
    now: Duration,
    out: Vec<Step<&'static str>>,
}

impl Scene {
    fn new() -> Scene {
        let sequencer = Sequencer::new(START, [(CHANNEL, 50)], Duration::ZERO);
        Scene { sequencer, now: Duration::ZERO, out: Vec::new() }
    }

    fn counted(&mut self, mailbox: Mailbox, pts: i32, count: i32, item: &'static str) -> &mut Scene {
        let place = Place { mailbox, pts, count };
        self.sequencer.counted(place, Some(item), self.now, &mut self.out);
        self
    }

    fn common(&mut self, pts: i32, count: i32, item: &'static str) -> &mut Scene {
        self.counted(Mailbox::Common, pts, count, item)
    }

    fn group(&mut self, start: i32, seq: i32, items: &[&'static str]) -> &mut Scene {
        self.sequencer.group(start, seq, 2_000, &mut items.to_vec(), self.now, &mut self.out);
        self
    }

    fn wait(&mut self, millis: u64) -> &mut Scene {
        self.now += Duration::from_millis(millis);
        self
    }

    fn fetch(&mut self) -> Option<Fetch> {
        self.sequencer.poll_fetch(self.now)
    }

    fn difference(&mut self, pts: i32, last: bool) -> &mut Scene {
        let state = UpdateState { pts, ..START };
        self.sequencer.difference(state, last, self.now, &mut self.out);
        self
    }

    /// The items handed on since the last call.
    fn handed_on(&mut self) -> Vec<&'static str> {
        self.out.drain(..).filter_map(|step| step.item).collect()
    }
}

#[test]
fn updates_of_the_common_box_are_handed_on_by_pts() {
    fn check(updates: &[(i32, i32, &'static str)], expected: &[&'static str]) {
        let mut scene = Scene::new();
        for (pts, count, item) in updates {
            scene.common(*pts, *count, item);
        }
        assert_eq!(scene.handed_on(), expected, "{updates:?}");
    }
    check(&[(101, 1, "a"), (102, 1, "b")], &["a", "b"]);
    // Several events in one.
    check(&[(105, 5, "a"), (106, 1, "b")], &["a", "b"]);
    // Twice the same, and one from before.
    check(&[(101, 1, "a"), (101, 1, "a"), (99, 1, "z"), (102, 1, "b")], &["a", "b"]);
    // Too early waits, however many.
    check(&[(102, 1, "b")], &[]);
    check(&[(103, 1, "c"), (102, 1, "b"), (101, 1, "a")], &["a", "b", "c"]);
    check(&[(104, 2, "c"), (101, 1, "a"), (102, 1, "b")], &["a", "b", "c"]);
    // Kept twice, handed on once.
    check(&[(102, 1, "b"), (102, 1, "b"), (101, 1, "a")], &["a", "b"]);
    // An event that counts for nothing moves nothing.
    check(&[(100, 0, "a"), (101, 1, "b")], &["a", "b"]);
    // 0 is no place at all.
    check(&[(0, 0, "a"), (101, 1, "b")], &["a", "b"]);
    // Numbers that lie do not overflow.
    check(&[(i32::MIN, i32::MAX, "a"), (i32::MAX, i32::MIN, "b"), (101, 1, "c")], &["c"]);
}

#[test]
fn each_box_counts_by_itself() {
    let mut scene = Scene::new();
    scene.counted(Mailbox::Channel(CHANNEL), 52, 1, "late");
    scene.counted(Mailbox::Channel(CHANNEL + 1), 9_000, 1, "a channel not seen before");
    scene.counted(Mailbox::Secondary, 11, 1, "secret");
    scene.common(101, 1, "common");
    assert_eq!(scene.handed_on(), ["a channel not seen before", "secret", "common"]);
    scene.counted(Mailbox::Channel(CHANNEL), 51, 1, "first");
    assert_eq!(scene.handed_on(), ["first", "late"]);
    assert_eq!(scene.sequencer.channel(CHANNEL), Some(52));
    assert_eq!(scene.sequencer.channel(CHANNEL + 1), Some(9_000));
}

#[test]
fn containers_are_handed_on_by_seq() {
    fn check(groups: &[(i32, i32, &'static str)], expected: &[&'static str], seq: i32) {
        let mut scene = Scene::new();
        for (start, end, item) in groups {
            scene.group(*start, *end, &[item]);
        }
        assert_eq!(scene.handed_on(), expected, "{groups:?}");
        assert_eq!(scene.sequencer.state().seq, seq, "{groups:?}");
    }
    check(&[(6, 6, "a"), (7, 7, "b")], &["a", "b"], 7);
    check(&[(0, 0, "typing"), (6, 6, "a")], &["typing", "a"], 6);
    check(&[(5, 5, "old"), (6, 8, "combined"), (9, 9, "next")], &["combined", "next"], 9);
    check(&[(7, 7, "b"), (6, 6, "a")], &["a", "b"], 7);
    check(&[(7, 7, "b")], &[], 5);
}

#[test]
fn a_container_without_uncounted_updates_moves_seq() {
    let mut scene = Scene::new();
    scene.group(6, 6, &[]);
    assert_eq!(scene.out, [Step { item: None, change: Change::Group { seq: 6, date: 2_000 } }]);
}

#[test]
fn a_gap_closed_in_time_needs_no_difference() {
    let mut scene = Scene::new();
    scene.common(102, 1, "b").wait(499);
    assert_eq!(scene.fetch(), None);
    scene.common(101, 1, "a").wait(10_000);
    assert_eq!(scene.fetch(), None);
    assert_eq!(scene.handed_on(), ["a", "b"]);
    assert!(!scene.sequencer.is_behind());
}

#[test]
fn a_gap_is_fetched_after_half_a_second() {
    let mut scene = Scene::new();
    scene.common(103, 1, "c");
    assert_eq!(scene.sequencer.deadline(), GAP_WAIT);
    scene.wait(500);
    assert_eq!(scene.fetch(), Some(Fetch::Difference(START)));
    assert_eq!(scene.fetch(), None, "one at a time");
    // The difference brought 101 and 102.
    scene.difference(102, true);
    assert_eq!(scene.handed_on(), ["c"]);
    assert_eq!(scene.sequencer.state().pts, 103);
    assert!(!scene.sequencer.is_behind());
}

#[test]
fn gaps_in_qts_and_seq_are_fetched_like_those_in_pts() {
    let mut scene = Scene::new();
    scene.counted(Mailbox::Secondary, 12, 1, "b").wait(500);
    assert_eq!(scene.fetch(), Some(Fetch::Difference(START)));
    let mut scene = Scene::new();
    scene.group(7, 7, &["b"]).wait(500);
    assert_eq!(scene.fetch(), Some(Fetch::Difference(START)));
}

#[test]
fn what_comes_during_a_difference_follows_it() {
    let mut scene = Scene::new();
    scene.sequencer.too_long(scene.now);
    assert_eq!(scene.fetch(), Some(Fetch::Difference(START)));
    scene.common(101, 1, "a part of the difference").common(102, 1, "after it").group(6, 6, &["group"]);
    scene.counted(Mailbox::Channel(CHANNEL), 51, 1, "a channel does not wait");
    assert_eq!(scene.handed_on(), ["a channel does not wait"]);
    scene.difference(101, true);
    assert_eq!(scene.handed_on(), ["after it", "group"]);
}

#[test]
fn a_slice_is_followed_by_the_next_request() {
    let mut scene = Scene::new();
    scene.sequencer.too_long(scene.now);
    assert!(scene.fetch().is_some());
    scene.difference(500, false);
    assert_eq!(scene.fetch(), Some(Fetch::Difference(UpdateState { pts: 500, ..START })));
    scene.difference(600, true);
    assert_eq!(scene.fetch(), None);
}

#[test]
fn a_failed_difference_is_asked_for_again_later() {
    let mut scene = Scene::new();
    scene.sequencer.too_long(scene.now);
    let fetch = scene.fetch().unwrap();
    scene.sequencer.fetch_failed(fetch, Duration::from_secs(1));
    scene.common(101, 1, "waits");
    assert_eq!(scene.handed_on(), [""; 0]);
    assert_eq!(scene.fetch(), None);
    scene.wait(1_000);
    assert_eq!(scene.fetch(), Some(fetch));
}

#[test]
fn too_much_too_early_is_let_go_and_fetched() {
    let mut scene = Scene::new();
    scene.sequencer.too_long(scene.now);
    assert!(scene.fetch().is_some());
    for i in 0..=MAX_EARLY as i32 {
        scene.common(200 + i, 1, "early");
    }
    // The answer may be older than what was let go.
    scene.difference(150, true);
    assert_eq!(scene.handed_on(), [""; 0]);
    assert_eq!(scene.fetch(), Some(Fetch::Difference(UpdateState { pts: 150, ..START })));
}

#[test]
fn a_channel_s_gap_is_fetched_from_the_channel() {
    let mut scene = Scene::new();
    let mailbox = Mailbox::Channel(CHANNEL);
    scene.counted(mailbox, 55, 1, "e").wait(500);
    assert_eq!(scene.fetch(), Some(Fetch::Channel { id: CHANNEL, pts: 50 }));
    assert_eq!(scene.fetch(), None);
    scene.counted(mailbox, 56, 1, "f");
    scene.common(101, 1, "the common box goes on");
    assert_eq!(scene.handed_on(), ["the common box goes on"]);
    scene.sequencer.channel_difference(CHANNEL, 52, false, scene.now, &mut scene.out);
    assert_eq!(scene.fetch(), Some(Fetch::Channel { id: CHANNEL, pts: 52 }));
    scene.sequencer.channel_difference(CHANNEL, 54, true, scene.now, &mut scene.out);
    assert_eq!(scene.handed_on(), ["e", "f"]);
    assert!(!scene.sequencer.is_behind());
}

#[test]
fn only_a_few_channels_are_fetched_at_once() {
    let mut scene = Scene::new();
    for id in 1..=10 {
        scene.sequencer.channel_too_long(id, Some(1), scene.now);
        scene.sequencer.channel_too_long(id, Some(2), scene.now);
    }
    let mut fetches = Vec::new();
    while let Some(fetch) = scene.fetch() {
        fetches.push(fetch);
    }
    assert_eq!(fetches.len(), CHANNELS_AT_ONCE);
    let Fetch::Channel { id, .. } = fetches[0] else { panic!("{fetches:?}") };
    scene.sequencer.channel_difference(id, 2, true, scene.now, &mut scene.out);
    assert!(scene.fetch().is_some() && scene.fetch().is_none());
}

#[test]
fn a_channel_that_is_not_behind_needs_no_difference() {
    let mut scene = Scene::new();
    scene.sequencer.channel_too_long(CHANNEL, Some(50), scene.now);
    assert_eq!(scene.fetch(), None);
    scene.sequencer.channel_too_long(CHANNEL, None, scene.now);
    assert!(scene.fetch().is_some());
}

#[test]
fn a_forgotten_channel_takes_what_waited_for_it_along() {
    let mut scene = Scene::new();
    scene.counted(Mailbox::Channel(CHANNEL), 60, 1, "early");
    scene.sequencer.forget_channel(CHANNEL, &mut scene.out);
    scene.wait(1_000);
    assert_eq!(scene.fetch(), None);
    assert!(!scene.sequencer.is_behind());
}

#[test]
fn fifteen_silent_minutes_are_followed_by_a_difference() {
    let mut scene = Scene::new();
    assert_eq!(scene.sequencer.deadline(), SILENCE);
    scene.wait(10 * 60_000);
    scene.sequencer.heard(scene.now);
    scene.wait(14 * 60_000);
    assert_eq!(scene.fetch(), None);
    scene.wait(60_000);
    assert_eq!(scene.fetch(), Some(Fetch::Difference(START)));
}

#[test]
fn the_place_of_an_own_message_is_taken_without_an_item() {
    let mut scene = Scene::new();
    let place = Place { mailbox: Mailbox::Common, pts: 101, count: 1 };
    scene.sequencer.counted(place, None, scene.now, &mut scene.out);
    scene.common(102, 1, "the answer");
    assert_eq!(scene.handed_on(), ["the answer"]);
}

//! A host on a client that is connected to nothing: what becomes of it when a script's thread dies.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast;

use super::config::Config;
use super::{Event, Host, Options, State};
use crate::client::{Client, sample};
use crate::net::Clock;

const DIES: &str = "\
tg.on_message(filters.regex('^die'), function(m) die() end)
tg.on_message(function(m) log.info(m.text) end)";
const LIVES: &str = "tg.on_message(function(m) end)";

struct World {
    _folder: tempfile::TempDir,
    client: Client,
    clock: Clock,
    host: Host,
    events: broadcast::Receiver<Event>,
    fed: i32,
}

impl World {
    async fn new() -> World {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in [("dies.lua", DIES), ("lives.lua", LIVES)] {
            std::fs::write(folder.path().join(name), text).expect("written");
        }
        let client = Client::detached();
        let clock = Clock::stepped(Duration::from_secs(1_700_000_000));
        let (sender, events) = broadcast::channel(64);
        let options = Options::new(folder.path().to_owned(), Arc::new(Config::default()));
        let host = Host::start(options, client.clone(), clock.clone(), sender).await;
        World { _folder: folder, client, clock, host, events, fed: 0 }
    }

    fn say(&mut self, text: &str) {
        self.fed += 1;
        self.client.feed(sample::message(self.fed, 7, text));
    }

    async fn event(&mut self, what: impl Fn(&Event) -> bool) -> Event {
        loop {
            let event = tokio::time::timeout(Duration::from_secs(30), self.events.recv()).await;
            let event = event.expect("in time").expect("the host lives");
            if what(&event) {
                return event;
            }
        }
    }

    async fn all_delivered(&self) {
        while self.client.position().delivered < self.client.position().assigned {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

#[tokio::test]
async fn a_script_whose_thread_died_is_started_again_and_what_waits_is_handled() {
    let mut world = World::new().await;
    for text in ["one", "die", "two", "three"] {
        world.say(text);
    }
    world.event(|event| matches!(event, Event::Died { script, version: 1 } if script == "dies")).await;
    world.event(|event| matches!(event, Event::Live { script, version: 2, .. } if script == "dies")).await;
    world.all_delivered().await;
    let rows = world.host.list().await;
    assert_eq!((rows[0].state, rows[0].calls), (State::Running, 2), "{rows:?}");
    assert_eq!((rows[1].state, rows[1].version, rows[1].calls), (State::Running, 1, 4), "{rows:?}");
}

#[tokio::test]
async fn three_deaths_in_a_minute_stop_a_script_and_hold_nobody_back() {
    let mut world = World::new().await;
    let died = |event: &Event| matches!(event, Event::Died { .. });
    for _ in 0..2 {
        world.say("die");
        world.event(died).await;
    }
    world.clock.advance(Duration::from_secs(61));
    for _ in 0..2 {
        world.say("die");
        world.event(died).await;
        world.event(|event| matches!(event, Event::Live { .. })).await;
    }
    world.say("die");
    let stopped = world.event(|event| matches!(event, Event::Stopped { .. })).await;
    assert!(matches!(&stopped, Event::Stopped { reason, .. } if reason.contains("died 3 times in a minute")));
    world.say("one");
    world.all_delivered().await;
    let rows = world.host.list().await;
    assert_eq!((rows[0].state, rows[1].state), (State::Stopped, State::Running));
}

//! Runs each script of `tests/scripts/` against updates that its own comments describe.
//!
//! A line that begins with `--!` is a step, taken in order once the script is live:
//!
//! ```text
//! --! private 7 Alice: /start          user 7, called Alice, writes to the account
//! --! group 5 7 Alice: hello           the same in the basic group 5
//! --! supergroup 6 7 Alice: hello      … in the supergroup 6;  channel 6: hello   a post of channel 6
//! --! outgoing 7 Alice: hello          the account writes to user 7 from another device
//! --! edit 7 Alice 3: hello            the private message 3 has a new text
//! --! reply 7 Alice 3: hello           an answer to the private message 3
//! --! photo 7 Alice: caption           a photo
//! --! join 5 7 Alice                   Alice joins the basic group 5
//! --! button 7 Alice 3: data           Alice presses a button below message 3
//! --! delete 3 4                       the messages 3 and 4 are deleted
//! --! soon private 7 Alice: hello      any step, but the next one comes before it is handled
//! --! wait 20                          20 ms
//! --! expect key: JSON                 script.state.key is that
//! --! state                            a reload: the next version gets this one's state
//! ```

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use moongram::client::Client;
use moongram::lua::{Env, Inbox, Reason, ScriptSpec, load};
use moongram::net::Clock;
use moongram::tl::{self, Object, Value};

/// Unix time of the first message.
const DATE: i32 = 1_700_000_000;

#[tokio::test]
async fn every_script_does_what_its_comments_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts");
    let mut scripts: Vec<PathBuf> =
        fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect();
    scripts.sort();
    assert!(!scripts.is_empty());
    for script in scripts {
        let name = script.file_stem().unwrap().to_string_lossy().into_owned();
        let run = run(&name, &script, &folder);
        if tokio::time::timeout(Duration::from_secs(30), run).await.is_err() {
            panic!("{name} takes too long");
        }
    }
}

async fn run(name: &str, main: &Path, folder: &Path) {
    let text = fs::read_to_string(main).unwrap();
    let client = Client::detached();
    let inbox = Inbox::new(client.subscribe(name));
    let env = Env::new(client.clone(), Clock::real());
    let mut spec = ScriptSpec::new(name, main, folder);
    spec.config = serde_json::json!({"city": "Berlin", "list": [1, 2]});
    spec.limits.store = 100_000;
    let spec = Arc::new(spec);
    let start = |state| load(spec.clone(), env.clone(), inbox.clone(), state);
    let mut version = start(None).await.unwrap_or_else(|error| panic!("{error}"));
    version.activate(Reason::Start);
    let mut world = World { client, pts: 0, next_id: 1, channel_pts: 0 };
    let mut steps = 0;
    for (number, line) in text.lines().enumerate() {
        let Some(step) = line.strip_prefix("--!") else { continue };
        steps += 1;
        let step = step.trim();
        let place = format!("{name}.lua:{}", number + 1);
        if let Some(expected) = step.strip_prefix("expect ") {
            let (key, json) = expected.split_once(':').unwrap_or_else(|| panic!("{place}: expect KEY: JSON"));
            let json: serde_json::Value = serde_json::from_str(json).unwrap_or_else(|e| panic!("{place}: {e}"));
            let mut found = serde_json::Value::Null;
            // What a handler does beside the queue (tasks, timers, asks) takes its time.
            for _ in 0..200 {
                let state = version.state().await.unwrap_or_else(|error| panic!("{place}: {error}"));
                found = state.to_json()[key].clone();
                if found == json {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            assert_eq!(found, json, "{place}: {key}");
        } else if let Some(ms) = step.strip_prefix("wait ") {
            tokio::time::sleep(Duration::from_millis(ms.parse().unwrap())).await;
        } else if step == "state" {
            inbox.pause();
            let state = version.state().await.unwrap();
            let next = start(Some(state)).await.unwrap_or_else(|error| panic!("{error}"));
            next.activate(Reason::Reload);
            std::mem::replace(&mut version, next).retire();
            inbox.resume();
        } else {
            let (step, soon) = step.strip_prefix("soon ").map_or((step, false), |step| (step, true));
            world.step(step).unwrap_or_else(|| panic!("{place}: not a step"));
            if soon {
                continue;
            }
            for _ in 0..1000 {
                if inbox.is_idle() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            assert!(inbox.is_idle(), "{place}: the script is busy");
            let position = world.client.position();
            assert_eq!(position.delivered, position.assigned, "{place}: what is idle has delivered everything");
        }
    }
    assert!(steps > 0, "{name}.lua has no steps");
    version.stop().await;
}

struct World {
    client: Client,
    pts: i32,
    channel_pts: i32,
    next_id: i32,
}

impl World {
    fn step(&mut self, step: &str) -> Option<()> {
        let (head, text) = step.split_once(": ").unwrap_or((step, ""));
        let words: Vec<&str> = head.split(' ').collect();
        let id = |at: usize| words.get(at)?.parse::<i64>().ok();
        match words[0] {
            "private" => self.message(user_peer(id(1)?), None, text, id(1)?, words.get(2)?, |message| message),
            "outgoing" => {
                self.message(user_peer(id(1)?), None, text, id(1)?, words.get(2)?, |message| message.with("out", true))
            }
            "reply" => {
                let header = Object::new("messageReplyHeader").with("reply_to_msg_id", id(3)?);
                self.message(user_peer(id(1)?), None, text, id(1)?, words.get(2)?, |m| m.with("reply_to", header))
            }
            "photo" => {
                let photo = Object::new("photo")
                    .with("id", 1i64)
                    .with("access_hash", 2i64)
                    .with("file_reference", vec![1u8])
                    .with("date", DATE)
                    .with(
                        "sizes",
                        vec![Value::Object(
                            Object::new("photoSize").with("type", "x").with("w", 800).with("h", 600).with("size", 5000),
                        )],
                    )
                    .with("dc_id", 2);
                let media = Object::new("messageMediaPhoto").with("photo", photo);
                self.message(user_peer(id(1)?), None, text, id(1)?, words.get(2)?, |m| m.with("media", media))
            }
            "group" => {
                let peer = Object::new("peerChat").with("chat_id", id(1)?);
                self.message(peer, Some(group(id(1)?)), text, id(2)?, words.get(3)?, |message| message)
            }
            "supergroup" => {
                let peer = Object::new("peerChannel").with("channel_id", id(1)?);
                self.message(peer, Some(channel(id(1)?, true)), text, id(2)?, words.get(3)?, |message| message)
            }
            "channel" => {
                let peer = Object::new("peerChannel").with("channel_id", id(1)?);
                let message = self.text(peer, text).with("post", true);
                self.new_message(message, Vec::new(), vec![channel(id(1)?, false)], true)
            }
            "edit" => {
                let mut message = self.text(user_peer(id(1)?), text);
                message.set("id", id(3)?);
                message.set("edit_date", DATE + 1);
                self.counted("updateEditMessage", message, vec![user(id(1)?, words.get(2)?)])
            }
            "join" => {
                let action = Object::new("messageActionChatAddUser").with("users", vec![id(2)?]);
                let message = Object::new("messageService")
                    .with("id", self.id())
                    .with("peer_id", Object::new("peerChat").with("chat_id", id(1)?))
                    .with("from_id", user_peer(id(2)?))
                    .with("date", DATE)
                    .with("action", action);
                self.new_message(message, vec![user(id(2)?, words.get(3)?)], vec![group(id(1)?)], false)
            }
            "button" => {
                let query = Object::new("updateBotCallbackQuery")
                    .with("query_id", 99i64)
                    .with("user_id", id(1)?)
                    .with("peer", user_peer(id(1)?))
                    .with("msg_id", id(3)?)
                    .with("chat_instance", 1i64)
                    .with("data", text.as_bytes().to_vec());
                self.feed(query, vec![user(id(1)?, words.get(2)?)], Vec::new())
            }
            "delete" => {
                let ids: Vec<i64> = words[1..].iter().filter_map(|word| word.parse().ok()).collect();
                self.pts += ids.len() as i32;
                let count = ids.len() as i32;
                let update = Object::new("updateDeleteMessages")
                    .with("messages", ids)
                    .with("pts", self.pts)
                    .with("pts_count", count);
                self.feed(update, Vec::new(), Vec::new())
            }
            _ => return None,
        }
        Some(())
    }

    fn id(&mut self) -> i32 {
        self.next_id += 1;
        self.next_id - 1
    }

    fn text(&mut self, peer: Object, text: &str) -> Object {
        Object::new("message").with("id", self.id()).with("peer_id", peer).with("date", DATE).with("message", text)
    }

    fn message(
        &mut self,
        peer: Object,
        chat: Option<Object>,
        text: &str,
        from: i64,
        name: &str,
        change: impl FnOnce(Object) -> Object,
    ) {
        let is_channel = peer.is("peerChannel");
        let is_private = peer.is("peerUser");
        let mut message = self.text(peer, text);
        if !is_private {
            message.set("from_id", user_peer(from));
        }
        self.new_message(change(message), vec![user(from, name)], chat.into_iter().collect(), is_channel);
    }

    fn new_message(&mut self, message: Object, users: Vec<Object>, chats: Vec<Object>, in_channel: bool) {
        let (name, pts) = if in_channel {
            self.channel_pts += 1;
            ("updateNewChannelMessage", self.channel_pts)
        } else {
            self.pts += 1;
            ("updateNewMessage", self.pts)
        };
        self.feed(Object::new(name).with("message", message).with("pts", pts).with("pts_count", 1), users, chats);
    }

    fn counted(&mut self, name: &str, message: Object, users: Vec<Object>) {
        self.pts += 1;
        self.feed(
            Object::new(name).with("message", message).with("pts", self.pts).with("pts_count", 1),
            users,
            Vec::new(),
        );
    }

    fn feed(&self, update: Object, users: Vec<Object>, chats: Vec<Object>) {
        let list = |objects: Vec<Object>| objects.into_iter().map(Value::Object).collect::<Vec<Value>>();
        let updates = Object::new("updates")
            .with("updates", vec![Value::Object(update)])
            .with("users", list(users))
            .with("chats", list(chats))
            .with("date", DATE)
            .with("seq", 0);
        let mut bytes = Vec::new();
        tl::encode(&updates, &mut bytes).unwrap();
        self.client.feed(Bytes::from(bytes));
    }
}

fn user_peer(id: i64) -> Object {
    Object::new("peerUser").with("user_id", id)
}

fn user(id: i64, name: &str) -> Object {
    Object::new("user")
        .with("id", id)
        .with("access_hash", id * 100)
        .with("first_name", name)
        .with("username", name.to_lowercase())
        .with("bot", name.ends_with("Bot"))
        .with("bot_info_version", name.ends_with("Bot").then_some(1))
}

fn group(id: i64) -> Object {
    Object::new("chat")
        .with("id", id)
        .with("title", "A group")
        .with("photo", Object::new("chatPhotoEmpty"))
        .with("participants_count", 3)
        .with("date", DATE)
        .with("version", 1)
}

fn channel(id: i64, megagroup: bool) -> Object {
    Object::new("channel")
        .with("id", id)
        .with("access_hash", id * 100)
        .with("title", "A channel")
        .with("username", "a_channel")
        .with("megagroup", megagroup)
        .with("broadcast", !megagroup)
        .with("photo", Object::new("chatPhotoEmpty"))
        .with("date", DATE)
}

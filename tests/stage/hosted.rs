//! A host in this process, on a client that is connected to nothing: only what is fed and saved here happens.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use moongram::client::Client;
use moongram::host::config::Config;
use moongram::host::{Event, Host, Options};
use moongram::net::Clock;
use moongram::tl::{Object, Value, encode};
use tokio::sync::broadcast;

use super::PATIENCE;

pub struct Hosted {
    folder: tempfile::TempDir,
    pub client: Client,
    pub host: Host,
    events: broadcast::Receiver<Event>,
}

impl Hosted {
    pub async fn new(files: &[(&str, &str)]) -> Hosted {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("scripts")).expect("a folder");
        let client = Client::detached();
        for (name, text) in files {
            write(&folder.path().join(name), text);
        }
        let (sender, events) = broadcast::channel(256);
        let options = Options { folder: folder.path().join("scripts"), config: Arc::new(Config::default()) };
        let host = Host::start(options, client.clone(), Clock::real(), sender).await;
        Hosted { folder, client, host, events }
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn save(&self, name: &str, text: &str) {
        write(&self.at(name), text);
    }

    /// The next event that is about this script.
    pub async fn next(&mut self, script: &str) -> Event {
        loop {
            let event = tokio::time::timeout(PATIENCE, self.events.recv()).await;
            let event = event.unwrap_or_else(|_| panic!("nothing happens to {script}")).expect("the host lives");
            if about(&event) == script {
                return event;
            }
        }
    }

    pub async fn live(&mut self, script: &str) -> u64 {
        match self.next(script).await {
            Event::Live { version, .. } => version,
            other => panic!("{other:?}"),
        }
    }

    /// Everything that happens until nothing does for a while: the names, with how often they went live.
    pub async fn settled(&mut self) -> BTreeMap<String, usize> {
        let mut lives = BTreeMap::new();
        while let Ok(event) = tokio::time::timeout(Duration::from_millis(700), self.events.recv()).await {
            match event.expect("the host lives") {
                Event::Live { script, .. } => *lives.entry(script).or_default() += 1,
                other => panic!("{other:?}"),
            }
        }
        lives
    }

    pub async fn evaluate(&self, script: &str, code: &str) -> String {
        self.host.handle().evaluate(Some(script.into()), code.into()).await.expect("it runs")
    }
}

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
    std::fs::write(path, text).expect("written");
}

fn about(event: &Event) -> &str {
    match event {
        Event::Live { script, .. }
        | Event::Failed { script, .. }
        | Event::Stopped { script, .. }
        | Event::Died { script, .. }
        | Event::Removed { script } => script,
        Event::Problem { message } => message,
    }
}

/// Messages `first..first + count`, one after the other, from fifty people in turn.
pub fn messages(first: i32, count: i32) -> Bytes {
    let of = |n: i32| {
        let message = Object::new("message")
            .with("id", n)
            .with("peer_id", Object::new("peerUser").with("user_id", i64::from(n % 50 + 1)))
            .with("date", 1)
            .with("message", n.to_string());
        Value::Object(Object::new("updateNewMessage").with("message", message).with("pts", n).with("pts_count", 1))
    };
    let updates = Object::new("updates")
        .with("updates", (first..first + count).map(of).collect::<Vec<_>>())
        .with("users", Vec::<Value>::new())
        .with("chats", Vec::<Value>::new())
        .with("date", 1)
        .with("seq", 0);
    let mut bytes = Vec::new();
    encode(&updates, &mut bytes).expect("it encodes");
    bytes.into()
}

//! A local DC with a bot and a person on it, and `moongram run` for the bot as a process of its own.

use moongram::local_dc::{Config, LocalDc, WorldEvent};
use tokio::sync::broadcast::Receiver;

use super::{Folder, PATIENCE, Program, moongram};

pub struct Town {
    pub folder: Folder,
    pub dc: LocalDc,
    pub bot: i64,
    pub alice: i64,
    pub events: Receiver<WorldEvent>,
    /// `moongram.toml`, as far as the account and the network go.
    pub configuration: String,
}

impl Town {
    pub async fn with(files: &[(&str, &str)]) -> Town {
        let folder = Folder::with(files);
        let dc = LocalDc::start(Config::default()).await.expect("a local DC");
        let bot = dc.add_bot("town_bot", "Town");
        let alice = dc.add_user("Alice");
        folder.write("dc.pem", dc.public_key_pem());
        let configuration = format!(
            "[account]\napi_id = 1\napi_hash = 'x'\nbot_token = '{}'\n[network]\n\
             dc = [{{ id = {}, address = '{}' }}]\npublic_keys = ['dc.pem']\npfs = false\n",
            bot.token,
            dc.dc_id(),
            dc.address()
        );
        folder.write("moongram.toml", &configuration);
        let events = dc.events();
        Town { folder, dc, bot: bot.id, alice, events, configuration }
    }

    /// Starts the host, and returns once its log has said `ready`.
    pub fn run(&self, ready: &str) -> Program {
        let mut program = moongram(&["run"], self.folder.path());
        program.err_with(ready);
        program
    }

    pub fn say(&self, text: &str) {
        self.dc.send(self.alice, self.bot.into(), text).expect("sent");
    }

    /// The bot's next message.
    pub async fn reply(&mut self) -> String {
        loop {
            let event = tokio::time::timeout(PATIENCE, self.events.recv()).await;
            match event.expect("a reply in time").expect("the DC lives") {
                WorldEvent::NewMessage(message) if message.from == self.bot => return message.text,
                _ => {}
            }
        }
    }
}

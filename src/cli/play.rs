//! `moongram play`: a local DC, a bot on it and the scripts of a folder in one process.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use tokio::sync::broadcast;

use super::log;
use super::typed::{Printer, Typed};
use crate::client::{self, Client, SessionAt, SignIn};
use crate::crypto::RsaPublicKey;
use crate::host::config::Config;
use crate::host::{self, Host};
use crate::local_dc::{self, LocalDc, Peer, WorldEvent, Written};
use crate::net::Clock;

/// Who types, until `/as` says otherwise.
const USER: &str = "Alice";
/// How long handlers may go on after the end; what is to be waited for was waited for before.
const GRACE: Duration = Duration::from_secs(1);

#[derive(Args)]
#[command(after_help = "Examples:  moongram play\n           printf '/start\\n' | moongram play scripts")]
pub struct Options {
    /// The folder of scripts
    #[arg(default_value = "scripts", value_name = "SCRIPTS")]
    scripts: PathBuf,
    /// The configuration, for the scripts' permissions and their own settings
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Keep the local DC's state in this folder, for the next time
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

pub async fn main(options: Options, log: &log::Options) -> Result<ExitCode> {
    log.start(log::Reader::Bystander)?;
    let folder = &options.scripts;
    ensure!(folder.is_dir(), "{}: no such folder of scripts; make it, or name another one", folder.display());
    let config = Config::read_if_there(options.config.as_deref())?;
    let dc_config = local_dc::Config { keep: super::dc::keep(options.keep)?, ..local_dc::Config::default() };
    let dc = LocalDc::start(dc_config).await.context("starting the local DC")?;
    let bot = dc.add_bot("moongram_bot", "Moongram");
    let user = dc.add_user(USER);
    let world = dc.events();
    let clock = Clock::real();
    let client = Client::start(client_config(&dc, &bot.token)?, clock.clone()).await.context("signing the bot in")?;
    let host_options = host::Options { folder: folder.clone(), config: Arc::new(config) };
    let host = Host::start(host_options, client.clone(), clock.clone(), broadcast::channel(64).0).await;
    let has_scripts = host.list().await.iter().any(|row| row.version > 0);
    let chat = Peer::User(bot.id);
    let table = Table {
        dc,
        bot: bot.id,
        client,
        host,
        clock,
        speaker: user,
        chat,
        people: vec![user],
        buttons: None,
        printer: None,
    };
    let code = table.play(world).await?;
    if !has_scripts && !io::stdin().is_terminal() {
        eprintln!("moongram: no script of {} is running", folder.display());
        return Ok(ExitCode::FAILURE);
    }
    Ok(code)
}

fn client_config(dc: &LocalDc, token: &str) -> Result<client::Config> {
    let sign_in = SignIn::Bot { token: token.to_owned() };
    let mut config = client::Config::new(1, "local", sign_in, SessionAt::Memory);
    config.dcs = vec![client::Dc { id: dc.dc_id(), address: dc.address() }];
    config.public_keys = vec![RsaPublicKey::from_pem(dc.public_key_pem())?];
    Ok(config)
}

/// The people at the table: who types, who listens, and the host behind the bot.
struct Table {
    dc: LocalDc,
    bot: i64,
    client: Client,
    host: Host,
    clock: Clock,
    speaker: i64,
    chat: Peer,
    people: Vec<i64>,
    /// What a number presses: the buttons of the bot's last message that has some.
    buttons: Option<Written>,
    /// Shows a line above the one that is being typed, on a terminal.
    printer: Option<Printer>,
}

impl Table {
    async fn play(mut self, mut world: broadcast::Receiver<WorldEvent>) -> Result<ExitCode> {
        let on_terminal = io::stdin().is_terminal();
        let (mut typed, printer) = Typed::start(on_terminal).context("the terminal")?;
        self.printer = printer;
        if on_terminal {
            println!(
                "You are {USER}, in a chat with the bot. /as NAME speaks as someone else, /in GROUP goes to a group,"
            );
            println!("/in bot comes back, Ctrl-D ends. Save a script, and the next line meets the new one.");
        }
        typed.next(self.prompt());
        loop {
            tokio::select! {
                line = typed.lines.recv() => match line {
                    Some(line) => {
                        self.say(line.context("reading what is typed")?.trim_end())?;
                        if !on_terminal && !self.settles().await {
                            break;
                        }
                        while let Ok(event) = world.try_recv() {
                            self.show(&event)?;
                        }
                        typed.next(self.prompt());
                    }
                    None => break,
                },
                event = world.recv() => match event {
                    Ok(event) => self.show(&event)?,
                    Err(broadcast::error::RecvError::Lagged(missed)) => eprintln!("({missed} messages were too fast to show)"),
                    Err(broadcast::error::RecvError::Closed) => bail!("the local DC has ended"),
                },
                () = super::run::asked_to_end() => break,
            }
        }
        if !on_terminal {
            self.settles().await;
        }
        while let Ok(event) = world.try_recv() {
            self.show(&event)?;
        }
        self.host.stop(GRACE).await;
        self.client.stop().await;
        self.dc.stop().await;
        Ok(ExitCode::SUCCESS)
    }

    fn prompt(&self) -> String {
        format!("{}> ", self.dc.name(self.speaker).unwrap_or_default())
    }

    fn say(&mut self, line: &str) -> Result<()> {
        if line.is_empty() {
            return Ok(());
        }
        let word = line.split_whitespace().next().unwrap_or_default();
        let rest = line.strip_prefix(word).unwrap_or_default().trim();
        if rest.is_empty() && matches!(word, "/as" | "/in") {
            eprintln!("({word} needs a name, as in \"{word} {}\")", if word == "/as" { "Bob" } else { "Garden" });
            return Ok(());
        }
        if word == "/as" {
            self.speaker = self.dc.add_user(rest);
            if !self.people.contains(&self.speaker) {
                self.people.push(self.speaker);
            }
            return self.enter(self.chat);
        }
        if word == "/in" {
            let chat = match rest {
                "bot" => Peer::User(self.bot),
                title => {
                    let mut members = self.people.clone();
                    members.push(self.bot);
                    let group = self.dc.add_group(title, &members).with_context(|| format!("the group {title:?}"))?;
                    // In a group to try scripts in, the bot may do what a bot can be allowed to do.
                    self.dc.make_admin(group, self.bot).context("making the bot an administrator")?;
                    Peer::Group(group)
                }
            };
            return self.enter(chat);
        }
        if let Ok(number) = line.parse::<usize>()
            && self.press(number)?
        {
            return Ok(());
        }
        self.dc.send(self.speaker, self.chat, line).with_context(|| format!("sending {line:?}"))?;
        Ok(())
    }

    /// Presses the button of this number, from 1; false where there is none, and the number is a text like any other.
    fn press(&mut self, number: usize) -> Result<bool> {
        let Some(message) = &self.buttons else { return Ok(false) };
        let Some(button) = message.buttons.iter().flatten().nth(number.wrapping_sub(1)) else { return Ok(false) };
        if !message.inline {
            self.dc
                .send(self.speaker, self.chat, &button.text)
                .with_context(|| format!("sending {:?}", button.text))?;
            return Ok(true);
        }
        let (Some(data), Some(id)) = (button.data.clone(), message.ids.get(&self.speaker).copied()) else {
            eprintln!("(this button opens {} in an app)", button.url.as_deref().unwrap_or("something"));
            return Ok(true);
        };
        let (dc, speaker, chat) = (self.dc.clone(), self.speaker, self.chat);
        // The bot's answer may take its time, and others may write meanwhile.
        tokio::spawn(async move {
            if let Err(refusal) = dc.press(speaker, chat, id, &data).await {
                eprintln!("(the button: {refusal})");
            }
        });
        Ok(true)
    }

    /// Goes to a chat; whoever speaks there is a member.
    fn enter(&mut self, chat: Peer) -> Result<()> {
        if let Peer::Group(group) = chat {
            self.dc.join_group(group, self.speaker).context("joining the group")?;
        }
        self.chat = chat;
        Ok(())
    }

    /// Waits until the scripts are at rest; false when the program is asked to end before.
    async fn settles(&self) -> bool {
        tokio::select! {
            () = self.settle() => true,
            () = super::run::asked_to_end() => false,
        }
    }

    /// Waits until the scripts are done with what was said: twice in a row nothing under way, for an answer may cause an
    /// update that is not counted anywhere yet.
    async fn settle(&self) {
        let mut calm = 0;
        while calm < 2 {
            let received = self.client.position().pts >= self.dc.pts(self.bot);
            let at_rest = received && self.host.is_idle().await && self.client.calls_in_flight() == 0;
            calm = if at_rest { calm + 1 } else { 0 };
            self.clock.sleep(Duration::from_millis(1)).await;
        }
    }

    fn show(&mut self, event: &WorldEvent) -> Result<()> {
        let mut line = match event {
            WorldEvent::NewMessage(message) if message.from == self.bot => format!("bot: {}", message.text),
            WorldEvent::Edited(message) if message.from == self.bot => format!("bot, edited: {}", message.text),
            WorldEvent::ButtonAnswered { text, .. } if !text.is_empty() => format!("bot, to the button: {text}"),
            WorldEvent::Deleted { account, ids } if self.people.first() == Some(account) => match ids.len() {
                1 => "(a message was deleted)".into(),
                many => format!("({many} messages were deleted)"),
            },
            _ => return Ok(()),
        };
        if let WorldEvent::NewMessage(message) | WorldEvent::Edited(message) = event
            && message.buttons.iter().any(|row| !row.is_empty())
        {
            let mut number = 0;
            for row in &message.buttons {
                line.push_str("\n    ");
                for button in row {
                    number += 1;
                    line.push_str(&format!(" [{number}] {}", button.text));
                }
            }
            self.buttons = Some(message.clone());
        }
        match &mut self.printer {
            Some(printer) => printer.print(line + "\n").context("writing to the terminal"),
            None => {
                let mut out = io::stdout().lock();
                writeln!(out, "{line}").and_then(|()| out.flush()).context("writing to stdout")
            }
        }
    }
}

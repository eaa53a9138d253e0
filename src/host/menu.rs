//! Publishes the commands that the scripts of a bot describe, as the list that Telegram's apps show.

use std::time::Duration;

use tokio::sync::watch;

use crate::client::{BotCommand, CallError, Client, MAX_COMMANDS};
use crate::lua::CommandInfo;
use crate::net::Clock;

/// Between the last change and the publication: whoever saves a few files publishes once.
const QUIET: Duration = Duration::from_secs(5);

/// What the list should be. Dropping it ends its task.
pub(super) struct Menu {
    wanted: watch::Sender<Vec<BotCommand>>,
}

impl Menu {
    pub fn start(client: Client, clock: Clock) -> Menu {
        let (wanted, changes) = watch::channel(Vec::new());
        if client.me().is_bot {
            tokio::spawn(keep(client, clock, changes));
        }
        Menu { wanted }
    }

    /// `commands` are those of all scripts that run.
    pub fn offer<'a>(&self, commands: impl Iterator<Item = &'a CommandInfo>) {
        let shown = commands.filter_map(|command| BotCommand::new(&command.name, command.description.as_deref()?));
        let mut list: Vec<BotCommand> = Vec::new();
        for command in shown {
            if !list.iter().any(|other| other.name == command.name) {
                list.push(command);
            }
        }
        self.wanted.send_if_modified(|wanted| {
            let is_news = *wanted != list;
            *wanted = list;
            is_news
        });
    }
}

async fn keep(client: Client, clock: Clock, mut changes: watch::Receiver<Vec<BotCommand>>) {
    // What was set elsewhere stays, while no script has described a command.
    while changes.changed().await.is_ok() {
        loop {
            tokio::select! {
                changed = changes.changed() => if changed.is_err() { return },
                () = clock.sleep(QUIET) => break,
            }
        }
        let mut list = changes.borrow_and_update().clone();
        if list.len() > MAX_COMMANDS {
            tracing::warn!(
                "the scripts describe {} commands, and Telegram shows {MAX_COMMANDS}: the others are left out of its list",
                list.len()
            );
            list.truncate(MAX_COMMANDS);
        }
        match publish(&client, &list).await {
            Ok(true) => tracing::info!("the bot's list of commands is published ({})", list.len()),
            Ok(false) => {}
            Err(error) => tracing::warn!("the bot's list of commands could not be published: {error}"),
        }
    }
}

/// False where that is what Telegram shows already.
async fn publish(client: &Client, list: &[BotCommand]) -> Result<bool, CallError> {
    if client.bot_commands().await? == list {
        return Ok(false);
    }
    client.set_bot_commands(list).await?;
    Ok(true)
}

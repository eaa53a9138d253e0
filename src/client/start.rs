//! From a configuration to a client that is signed in.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;

use super::addresses::{endpoint, first_dc, note_dcs};
use super::core::Core;
use super::endings::Ending;
use super::invoke::Caller;
use super::sign_in::sign_in;
use super::updates::{Updates, task};
use super::{CallError, Client, Config, Me, Peers, RpcError, SessionAt, SignIn};
use crate::crypto::AuthKey;
use crate::mtproto::exchange::telegram_keys;
use crate::net::{self, Clock, Connection, Fatal, Options};
use crate::storage::{Account, Session, StorageError, UpdateState};
use crate::tl::{LAYER, List, Raw, Reader, enums, functions, types};

/// DCs that one sign-in may be sent on to.
const MAX_MIGRATIONS: usize = 4;

/// Why a client did not start. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("DC {dc} at {address} cannot be reached ({reason}): check the network and the address")]
    Unreachable { dc: i32, address: String, reason: String },
    /// Whoever answers at the address is not whom `public_keys` names.
    #[error("DC {dc} at {address} is not who it should be ({reason}): {advice}")]
    WrongServer { dc: i32, address: String, reason: String, advice: &'static str },
    #[error("no address is known for DC {0}: add it to `network.dc` or `network.websocket` in the configuration")]
    UnknownDc(i32),
    #[error("nobody is signed in in session {}: set bot_token in [account]", .0.display())]
    NotSignedIn(PathBuf),
    #[error(
        "session {} belongs to account {account}, and bot_token to {token}: give each a session of its own",
        session.display()
    )]
    OtherAccount { session: PathBuf, account: i64, token: i64 },
    /// AUTH_KEY_UNREGISTERED, SESSION_REVOKED, USER_DEACTIVATED, AUTH_KEY_DUPLICATED and their like, by that name.
    #[error("session {} is no longer signed in ({reason}): {advice}", session.display())]
    SignedOut { session: PathBuf, reason: String, advice: &'static str },
    #[error("Telegram does not accept the bot token ({0}): get the current one from BotFather")]
    BadToken(String),
    #[error("Telegram does not accept api_id and api_hash ({0}): get yours from https://my.telegram.org")]
    BadApiId(String),
    /// The phone's code was wrong or too late, or the account has a password.
    #[error("cannot sign in with this phone number ({0}): {1}")]
    BadCode(String, &'static str),
    #[error(transparent)]
    Call(#[from] CallError),
}

pub(super) async fn start(config: Config, clock: Clock) -> Result<Client, StartError> {
    let session = open_session(&config.session).await?;
    let account = session.account();
    check_account(&config, &session, account)?;
    let introduction = introduction(&config);
    let mut dc = account.map_or_else(|| first_dc(&config), |account| account.dc);
    let mut migrations = 0;
    let (caller, incoming, user) = loop {
        let (caller, incoming) = match connect(&config, &session, &clock, dc, &introduction).await {
            // A key that nobody signed in with is worth no more than a new one.
            Err(StartError::SignedOut { .. }) if account.is_none() && session.key(dc).is_some() => {
                tracing::info!("the key for DC {dc} is no longer known there; agreeing on another");
                session.set_key(dc, None);
                continue;
            }
            connected => connected?,
        };
        if account.is_some() {
            let me = get_me(&caller).await.map_err(|error| explain(error, &session, &caller))?;
            break (caller, incoming, me);
        }
        match sign_in(&config, &caller).await {
            Ok(user) => break (caller, incoming, user),
            // <https://core.telegram.org/api/errors#303-see-other>
            Err(CallError::Rpc(error)) if error.code == 303 && migrations < MAX_MIGRATIONS => {
                migrations += 1;
                dc = error.value.and_then(|dc| i32::try_from(dc).ok()).unwrap_or(dc);
                tracing::info!("the account lives on DC {dc}");
            }
            Err(error) => return Err(explain(error, &session, &caller)),
        }
    };
    let me = me(&user)?;
    // The account and where its updates begin are on disk before the first is delivered: a crash in the first moments would
    // otherwise make the next start begin later, and what came between would be lost.
    let state = match session.state() {
        Some(state) => state,
        None => {
            let state = get_state(&caller).await.map_err(|error| explain(error, &session, &caller))?;
            session.save_state(state, []);
            state
        }
    };
    if account.is_none() {
        session.set_account(Some(Account { id: me.id, is_bot: me.is_bot, dc }));
        tracing::info!("signed in as {} ({})", me.username.as_deref().unwrap_or(&me.first_name), me.id);
    }
    session.flush().await?;
    let peers = Arc::new(Peers::new(session.clone()));
    peers.set_me(me.id, me.is_bot);
    if let Ok(raw) = Raw::new(&me.raw) {
        peers.note().seen(raw);
    }
    let now = clock.now().mono;
    let updates = Updates::new(state, session.channels(), peers.clone(), (me.id, me.is_bot), now);
    let status = caller.connection.status();
    let core = Arc::new(Core::new(clock, session, peers, Arc::new(me), updates, Some(caller)));
    let task = tokio::spawn(task::run(core.clone(), incoming, status, dc));
    Ok(Client::new(core, Some(task)))
}

async fn open_session(at: &SessionAt) -> Result<Session, StorageError> {
    match at {
        SessionAt::Memory => Session::in_memory(),
        SessionAt::Open(session) => Ok(session.clone()),
        SessionAt::File(path) => {
            let path = path.clone();
            match tokio::task::spawn_blocking(move || Session::open(path)).await {
                Ok(session) => session,
                Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
            }
        }
    }
}

fn check_account(config: &Config, session: &Session, account: Option<Account>) -> Result<(), StartError> {
    let path = || session.path().to_owned();
    match (&config.sign_in, account) {
        (SignIn::Stored, None) => Err(StartError::NotSignedIn(path())),
        (SignIn::Bot { token }, Some(account)) => match token.split(':').next().and_then(|id| id.parse().ok()) {
            Some(id) if id != account.id => {
                Err(StartError::OtherAccount { session: path(), account: account.id, token: id })
            }
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}

/// Returns once the DC speaks with us; with a key that is on disk.
async fn connect(
    config: &Config,
    session: &Session,
    clock: &Clock,
    dc: i32,
    introduction: &Bytes,
) -> Result<(Caller, net::Updates), StartError> {
    let endpoint = endpoint(config, session, dc)?;
    let address = endpoint.to_string();
    let key = session.key(dc).map(|key| net::Key {
        auth_key: AuthKey::new(key.auth_key),
        server_salt: key.server_salt,
        time_offset: key.time_offset,
        created: key.created,
    });
    let had_key = key.is_some();
    let public_keys = if config.public_keys.is_empty() { telegram_keys() } else { config.public_keys.clone() };
    let number = if config.test_dc { dc + 10_000 } else { dc };
    let options = Options {
        dc: number,
        endpoint,
        transport: config.transport,
        obfuscated: config.obfuscated,
        via: config.proxy.clone(),
        public_keys,
        key,
        temporary_key_life: config.temporary_key_life,
        opening: Some(introduction.clone()),
    };
    let (connection, incoming) = Connection::open(options, clock.clone());
    let mut status = connection.status();
    let connected = clock
        .timeout(config.connect_timeout, status.wait_for(|status| status.connected || status.fatal.is_some()))
        .await
        .is_ok();
    let status = connection.status().borrow().clone();
    if let Some(fatal) = &status.fatal {
        return Err(match (Ending::of_fatal(fatal), fatal) {
            (Some(ending), _) => signed_out(ending, session),
            (None, Fatal::Rejected(error)) => {
                explain_error(RpcError::new(error.code, &error.message, "initConnection"))
            }
            (None, Fatal::UnknownServer(reason)) => {
                StartError::WrongServer { dc, address, reason: reason.clone(), advice: advice_on_keys(config) }
            }
            (None, fatal) => StartError::Unreachable { dc, address, reason: fatal.to_string() },
        });
    }
    if !connected || !status.connected {
        let reason = status.trouble.unwrap_or_else(|| "it does not answer".to_owned());
        return Err(StartError::Unreachable { dc, address, reason });
    }
    if let Some(answer) = &status.opening {
        note_dcs(config, session, answer);
    }
    if let (false, Some(key)) = (had_key, &status.key) {
        session.set_key(dc, Some(task::stored(key)));
        session.flush().await?;
    }
    let caller = Caller { connection, clock: clock.clone(), flood_sleep_threshold: config.flood_sleep_threshold };
    Ok((caller, incoming))
}

/// What to do about a server that proves itself by none of the keys that were given.
fn advice_on_keys(config: &Config) -> &'static str {
    match (config.public_keys.is_empty(), config.dcs.is_empty() && config.websockets.is_telegram()) {
        (true, true) => {
            "something between here and Telegram answers in its place, or moongram is too old to know its key"
        }
        (true, false) => "add its public key to `network.public_keys`, as `moongram dc` prints it",
        (false, _) => "`network.public_keys` has to hold its public key, as `moongram dc` prints it",
    }
}

/// The call that every session begins with. <https://core.telegram.org/api/invoking#saving-client-info>
fn introduction(config: &Config) -> Bytes {
    let mut query = Vec::new();
    functions::HelpGetConfig {}.write(&mut query);
    let mut init = Vec::new();
    functions::InitConnection {
        api_id: config.api_id,
        device_model: &config.device_model,
        system_version: &config.system_version,
        app_version: &config.app_version,
        system_lang_code: &config.lang_code,
        lang_pack: "",
        lang_code: &config.lang_code,
        proxy: None,
        params: None,
        query: Raw::new(&query).expect("help.getConfig is a function"),
    }
    .write(&mut init);
    let mut body = Vec::new();
    let query = Raw::new(&init).expect("initConnection is a function");
    functions::InvokeWithLayer { layer: LAYER, query }.write(&mut body);
    body.into()
}

async fn get_me(caller: &Caller) -> Result<Bytes, CallError> {
    let mut body = Vec::new();
    let id = [enums::InputUser::InputUserSelf(types::InputUserSelf {})];
    functions::UsersGetUsers { id: List::Items(&id) }.write(&mut body);
    let answer = caller.call(body.into()).await?;
    let user = super::update::items(&answer).next().map(|user| answer.slice_ref(user.bytes()));
    user.ok_or_else(|| CallError::Malformed { method: "users.getUsers".into(), reason: "no user in it".into() })
}

async fn get_state(caller: &Caller) -> Result<UpdateState, CallError> {
    let mut body = Vec::new();
    functions::UpdatesGetState {}.write(&mut body);
    let answer = caller.call(body.into()).await?;
    let malformed = || CallError::Malformed { method: "updates.getState".into(), reason: "not a state".into() };
    task::read_state(&answer).ok_or_else(malformed)
}

fn me(raw: &Bytes) -> Result<Me, CallError> {
    let mut reader = Reader::new(raw);
    let user = reader.expect(types::User::ID).and_then(|()| types::User::read(&mut reader));
    let user =
        user.map_err(|error| CallError::Malformed { method: "users.getUsers".into(), reason: error.to_string() })?;
    Ok(Me {
        id: user.id,
        is_bot: user.bot,
        first_name: user.first_name.unwrap_or_default().to_owned(),
        last_name: user.last_name.map(str::to_owned),
        username: user.username.map(str::to_owned),
        phone: user.phone.map(str::to_owned),
        raw: raw.clone(),
    })
}

/// An error of the first calls, with what to do about it.
fn explain(error: CallError, session: &Session, caller: &Caller) -> StartError {
    let fatal = caller.connection.status().borrow().fatal.clone();
    let ending = match &error {
        CallError::Closed { .. } => fatal.as_ref().and_then(Ending::of_fatal),
        CallError::Rpc(error) => Ending::of_error(error),
        _ => None,
    };
    match (ending, error) {
        (Some(ending), _) => signed_out(ending, session),
        (None, CallError::Rpc(error)) => explain_error(error),
        (None, error) => error.into(),
    }
}

fn signed_out(ending: Ending, session: &Session) -> StartError {
    let Ending { reason, advice } = ending;
    StartError::SignedOut { session: session.path().to_owned(), reason, advice }
}

fn explain_error(error: RpcError) -> StartError {
    if error.is("ACCESS_TOKEN_*") {
        StartError::BadToken(error.name)
    } else if error.is("API_ID_*") || error.is("CONNECTION_API_ID_INVALID") {
        StartError::BadApiId(error.name)
    } else if error.is("PHONE_CODE_*") || error.is("PHONE_NUMBER_*") {
        StartError::BadCode(error.name, "check the number, and ask for a new code")
    } else if error.is("SESSION_PASSWORD_NEEDED") {
        StartError::BadCode(error.name, "accounts with a two-step verification password are not supported yet")
    } else {
        CallError::Rpc(error).into()
    }
}

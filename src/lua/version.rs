//! One version of a script: its thread, and the handle that the host holds on it.

use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use mlua::Lua;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::LocalSet;

use super::budget::{Beat, Budget};
use super::console;
use super::error::LoadError;
use super::events::EventKind;
use super::handlers::CommandInfo;
use super::inbox::Inbox;
use super::natives;
use super::profile::{HandlerStats, Profiles};
use super::runtime::{Job, JobKind, Phase, Runtime};
use super::sandbox;
use super::spec::{Env, ScriptSpec};
use super::state::State;
use super::watchdog;
use crate::client::Client;
use crate::net::Clock;

/// Enough for the deepest recursion that Lua allows, through Rust and back.
const STACK: usize = 8 << 20;

/// Why a version goes live; the argument of `tg.on_start`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    Start,
    Reload,
}

impl Reason {
    pub fn name(self) -> &'static str {
        match self {
            Reason::Start => "start",
            Reason::Reload => "reload",
        }
    }
}

/// What a version does and has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Handlers and tasks that run or wait.
    pub running: usize,
    /// Bytes of the Lua state.
    pub memory: usize,
    pub handlers: usize,
    /// Handlers that were called.
    pub calls: u64,
    /// Errors that they raised.
    pub errors: u64,
    /// Time of the handlers that are registered.
    pub time: Duration,
}

/// The numbers that the host reads while the script's thread writes them.
#[derive(Default)]
pub(super) struct Shared {
    calls: AtomicU64,
    errors: AtomicU64,
    running: AtomicUsize,
    memory: AtomicUsize,
    handlers: AtomicUsize,
    pub profiles: Arc<Profiles>,
    pub beat: Arc<Beat>,
    /// The version was stopped for what it did.
    halted: AtomicBool,
}

impl Shared {
    pub fn count_call(&self) {
        // Only the script's thread writes: no read-modify-write is needed.
        self.calls.store(self.calls.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    pub fn count_error(&self) {
        self.errors.fetch_add(1, Ordering::Relaxed);
    }

    pub fn set_halted(&self) {
        self.halted.store(true, Ordering::Release);
    }

    fn note(&self, lua: &Lua, runtime: &Runtime) {
        self.running.store(runtime.task_count(), Ordering::Relaxed);
        self.memory.store(lua.used_memory() + runtime.outside.held(), Ordering::Relaxed);
        self.handlers.store(runtime.handlers.count(), Ordering::Relaxed);
    }
}

/// A script that is loaded. Dropping it retires it.
pub struct Version {
    number: u64,
    required: Vec<(PathBuf, u64)>,
    commands: Vec<CommandInfo>,
    shared: Arc<Shared>,
    inbox: Arc<Inbox>,
    control: mpsc::UnboundedSender<Control>,
    stopped: watch::Receiver<()>,
}

enum Control {
    Activate(Reason),
    State(oneshot::Sender<Result<State, LoadError>>),
    PossibleState(oneshot::Sender<(State, Vec<String>)>),
    Evaluate {
        code: String,
        answer: console::Answer,
    },
    /// The last one has no successor: the script stops.
    Retire {
        is_last: bool,
    },
}

/// What a successful load found.
struct Loaded {
    required: Vec<(PathBuf, u64)>,
    commands: Vec<CommandInfo>,
}

/// Runs a script's top level in a new state on a new thread. Nothing is delivered to it before [`Version::activate`].
pub async fn load(
    spec: Arc<ScriptSpec>,
    env: Env,
    inbox: Arc<Inbox>,
    carried: Option<State>,
) -> Result<Version, LoadError> {
    let (number, name, cpu) = (inbox.next_version(), spec.name.clone(), spec.limits.cpu);
    let shared = Arc::<Shared>::default();
    inbox.set_limit(spec.limits.updates);
    let (report, reported) = oneshot::channel();
    let (control, commands) = mpsc::unbounded_channel();
    let (alive, stopped) = watch::channel(());
    let failed = |message: String| LoadError {
        script: spec.name.clone(),
        file: spec.name.clone(),
        message,
        ..Default::default()
    };
    let run = {
        let (spec, inbox, shared) = (spec.clone(), inbox.clone(), shared.clone());
        move || {
            // Held to the end: its drop tells that the thread is done.
            let _alive = alive;
            thread_main(Runtime::new(spec, env, inbox, number, shared), carried, report, commands);
        }
    };
    std::thread::Builder::new()
        .name(format!("script {}", spec.name))
        .stack_size(STACK)
        .spawn(run)
        .map_err(|error| failed(format!("no thread for the script: {error}")))?;
    watchdog::watch(&name, number, cpu, &shared.beat);
    let loaded = reported.await.map_err(|_| failed("the script's thread ended while it was loading".into()))??;
    Ok(Version { number, required: loaded.required, commands: loaded.commands, shared, inbox, control, stopped })
}

impl Version {
    /// Counts the versions of a script from 1.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The files it required, with the [hash](super::source_hash) of what they held.
    pub fn required(&self) -> &[(PathBuf, u64)] {
        &self.required
    }

    /// The handlers that it has registered, by now.
    pub fn handlers(&self) -> usize {
        self.shared.handlers.load(Ordering::Relaxed)
    }

    /// The commands that its top level registered.
    pub fn commands(&self) -> &[CommandInfo] {
        &self.commands
    }

    /// Lets it take the updates of its inbox, and runs `tg.on_start`.
    pub fn activate(&self, reason: Reason) {
        self.inbox.set_active(self.number);
        let _ = self.control.send(Control::Activate(reason));
    }

    /// `script.state` by value; the error names what cannot be carried over.
    pub async fn state(&self) -> Result<State, LoadError> {
        let (answer, answered) = oneshot::channel();
        let _ = self.control.send(Control::State(answer));
        // A thread that is gone has nothing to carry.
        answered.await.unwrap_or_else(|_| Ok(State::default()))
    }

    /// `script.state` without what cannot be carried over, and what that is.
    pub async fn possible_state(&self) -> (State, Vec<String>) {
        let (answer, answered) = oneshot::channel();
        let _ = self.control.send(Control::PossibleState(answer));
        answered.await.unwrap_or_default()
    }

    /// Runs a line as a handler would be run, within the script's limits and permissions: an expression or statements.
    /// Gives what it printed and returned, or the error, for people to read.
    pub fn evaluate(&self, code: String) -> impl Future<Output = Result<String, String>> + Send + use<> {
        let (answer, answered) = oneshot::channel();
        let _ = self.control.send(Control::Evaluate { code, answer });
        async move {
            let gone = "the script ended, or was replaced, before the line did";
            answered.await.unwrap_or_else(|_| Err(gone.into()))
        }
    }

    /// Takes no more updates; running handlers finish, `ask`s close, and then the thread and its state go away.
    pub fn retire(self) {}

    /// Retires it and waits for its end.
    pub async fn stop(self) {
        let mut stopped = self.stopped.clone();
        drop(self);
        let _ = stopped.changed().await;
    }

    /// Waits for the end of a version: because it was retired, or by a fault of ours on its thread.
    pub fn stopped(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut stopped = self.stopped.clone();
        async move {
            // An error is what tells it: the thread has let go of its end.
            let _ = stopped.changed().await;
        }
    }

    /// Whether its thread has ended.
    pub fn is_gone(&self) -> bool {
        self.control.is_closed()
    }

    /// Whether it was stopped for going over its limits too often.
    pub fn is_halted(&self) -> bool {
        self.shared.halted.load(Ordering::Acquire)
    }

    pub fn stats(&self) -> Stats {
        Stats {
            running: self.shared.running.load(Ordering::Relaxed),
            memory: self.shared.memory.load(Ordering::Relaxed),
            handlers: self.handlers(),
            calls: self.shared.calls.load(Ordering::Relaxed),
            errors: self.shared.errors.load(Ordering::Relaxed),
            time: self.shared.profiles.total(),
        }
    }

    /// How each of its handlers has fared, in the order of their registration.
    pub fn handler_stats(&self) -> Vec<HandlerStats> {
        self.shared.profiles.stats()
    }
}

impl Drop for Version {
    fn drop(&mut self) {
        let is_last = self.inbox.give_up(self.number);
        let _ = self.control.send(Control::Retire { is_last });
    }
}

fn thread_main(
    runtime: Rc<Runtime>,
    carried: Option<State>,
    report: oneshot::Sender<Result<Loaded, LoadError>>,
    control: mpsc::UnboundedReceiver<Control>,
) {
    let tokio = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(tokio) => tokio,
        Err(error) => {
            let failed = LoadError::new(runtime.name(), &format!("no runtime: {error}"), &runtime.files);
            let _ = report.send(Err(failed));
            return;
        }
    };
    let local = LocalSet::new();
    let life = local.block_on(&tokio, AssertUnwindSafe(live(&runtime, carried, report, control)).catch_unwind());
    if let Err(panic) = life {
        let what = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        tracing::error!(
            script = runtime.name(),
            "the thread of {} ended by a fault of moongram's own ({}); please report it",
            runtime.name(),
            what.unwrap_or("a panic")
        );
        runtime.inbox.recover(runtime.number);
        runtime.clear();
    }
}

async fn live(
    runtime: &Rc<Runtime>,
    carried: Option<State>,
    report: oneshot::Sender<Result<Loaded, LoadError>>,
    control: mpsc::UnboundedReceiver<Control>,
) {
    let lua = match start(runtime, carried.as_ref()) {
        Ok(lua) => lua,
        Err(error) => {
            let _ = report.send(Err(error));
            return;
        }
    };
    let loaded = Loaded { required: runtime.files.required(), commands: runtime.handlers.commands() };
    runtime.shared.note(&lua, runtime);
    if report.send(Ok(loaded)).is_ok() {
        runtime.phase.set(Phase::Ready);
        if let Err(error) = drive(runtime, &lua, control).await {
            tracing::error!(script = runtime.name(), "the script's scheduler failed: {error}");
        }
    }
    runtime.clear();
}

/// Makes the state and runs the top level.
fn start(runtime: &Rc<Runtime>, carried: Option<&State>) -> Result<Lua, LoadError> {
    let failed = |raised: &str| LoadError::new(runtime.name(), raised, &runtime.files);
    let internal = |error: mlua::Error| failed(&error.to_string());
    let lua = sandbox::new_state(runtime.spec.limits.memory, runtime.budget.steps()).map_err(internal)?;
    natives::install(&lua, runtime).map_err(internal)?;
    if let (Some(carried), Some(state)) = (carried, runtime.state.get()) {
        carried.put_into(&lua, state).map_err(internal)?;
    }
    Budget::install(&runtime.budget, &lua).map_err(internal)?;
    let main = runtime.files.load_main(&lua).map_err(|raised| failed(&raised))?;
    runtime.push_job(Job::new(JobKind::Main, main, (mlua::Value::Nil, mlua::Value::Nil)));
    runtime.work(&lua).map_err(internal)?;
    runtime.shared.beat.rest();
    let result = runtime.main_result.borrow_mut().take();
    match result {
        Some(Ok(())) => Ok(lua),
        Some(Err(fault)) => Err(failed(&fault.message)),
        None => Err(failed("the top level waits for something; that belongs into tg.on_start")),
    }
}

async fn drive(runtime: &Rc<Runtime>, lua: &Lua, mut control: mpsc::UnboundedReceiver<Control>) -> mlua::Result<()> {
    let mut unloading = false;
    loop {
        while let Ok(message) = control.try_recv() {
            obey(runtime, lua, message)?;
        }
        let again = runtime.work(lua)?;
        runtime.shared.beat.rest();
        runtime.shared.note(lua, runtime);
        if runtime.is_halted() {
            return Ok(());
        }
        if runtime.phase.get() == Phase::Retiring && runtime.is_finished() {
            if unloading {
                return Ok(());
            }
            // The last thing a version does.
            unloading = true;
            for function in runtime.unload.borrow_mut().drain(..) {
                runtime.push_job(Job::new(JobKind::Unload, function, (mlua::Value::Nil, mlua::Value::Nil)));
            }
            continue;
        }
        if again {
            tokio::task::yield_now().await;
            continue;
        }
        tokio::select! {
            message = control.recv(), if runtime.phase.get() != Phase::Retiring => match message {
                Some(message) => obey(runtime, lua, message)?,
                None => runtime.retire(),
            },
            () = runtime.wake() => {}
        }
    }
}

fn obey(runtime: &Rc<Runtime>, lua: &Lua, message: Control) -> mlua::Result<()> {
    match message {
        Control::Activate(reason) => {
            runtime.phase.set(Phase::Active);
            runtime.run_handlers_of(lua, EventKind::Start, JobKind::Start, reason.name())
        }
        Control::PossibleState(answer) => {
            let state = runtime.state.get().map(|table| State::take_possible(table, runtime.spec.limits.memory));
            let _ = answer.send(state.unwrap_or_default());
            Ok(())
        }
        Control::State(answer) => {
            let state = match runtime.state.get() {
                Some(table) => State::take_from(table, runtime.spec.limits.memory),
                None => Ok(State::default()),
            };
            let state = state.map_err(|error| LoadError::new(runtime.name(), &error.to_string(), &runtime.files));
            let _ = answer.send(state);
            Ok(())
        }
        Control::Evaluate { code, answer } => runtime.evaluate(lua, &code, answer),
        Control::Retire { is_last } => {
            runtime.retire();
            if is_last {
                runtime.run_handlers_of(lua, EventKind::Stop, JobKind::Unload, "stop")?;
            }
            Ok(())
        }
    }
}

/// Something that `moongram check` has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// As messages name it: `hello.lua`.
    pub file: String,
    pub line: Option<usize>,
    pub message: String,
}

/// What a check found.
#[derive(Clone, Debug, Default)]
pub struct Checked {
    pub diagnostics: Vec<Diagnostic>,
    /// The files that were read beside the main one.
    pub required: Vec<PathBuf>,
}

/// Loads a script without a connection and says what is wrong with it.
pub async fn check(spec: Arc<ScriptSpec>) -> Checked {
    let client = Client::detached();
    let inbox = Inbox::new(client.subscribe(&spec.name));
    let paths = |required: &[(PathBuf, u64)]| required.iter().map(|(path, _)| path.clone()).collect();
    match load(spec, Env::new(client, Clock::real()), inbox, None).await {
        Ok(version) => {
            let required = paths(version.required());
            version.stop().await;
            Checked { diagnostics: Vec::new(), required }
        }
        Err(error) => {
            let required = paths(&error.required);
            let diagnostic = Diagnostic { file: error.file, line: error.line, message: error.message };
            Checked { diagnostics: vec![diagnostic], required }
        }
    }
}

//! One version's scheduler: a pool of coroutines that run handlers, the waits that they are in, and the jobs beside.
//!
//! Each coroutine of the pool is a *worker*: a loop in Lua (`prelude/base.lua`) that asks [`Runtime::next`] what to run.
//! A handler that does not wait costs no coroutine, no task and no wake-up: the worker asks for the next one. A handler
//! that waits keeps its worker, which yields; the scheduler resumes it with the result.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use mlua::{Function, IntoLua, LightUserData, Lua, Value};
use tokio::sync::Notify;

use super::budget::Budget;
use super::console::{self, Console};
use super::convert::Grants;
use super::dispatch::{Run, Waiters};
use super::events::EventKind;
use super::fault::Fault;
use super::files::Files;
use super::handlers::Handlers;
use super::inbox::Inbox;
use super::log_rate::{Line, LogRate};
use super::login_codes::LoginCodes;
use super::order::Branch;
use super::outside::Outside;
use super::pool::Pool;
use super::profile::Call;
use super::spec::{Env, ScriptSpec};
use super::strikes::Strikes;
use super::version::Shared;
pub(super) use super::waits::Wait;
use super::waits::Waits;
use crate::client::Update;
use crate::storage::store::Store;

/// Where a version is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The top level runs: it may register, and nothing else.
    Loading,
    Ready,
    /// Takes updates.
    Active,
    /// Finishes what runs.
    Retiring,
    /// Stopped for what it did: nothing of it runs again.
    Halted,
}

/// Functions of the prelude that Rust calls or hands out.
pub(super) struct Prelude {
    pub worker: Function,
    pub make_message: Function,
    pub make_update_message: Function,
    pub set_how: Function,
    pub make_callback: Function,
    pub make_deleted: Function,
    pub make_error: Function,
}

pub(super) struct Runtime {
    pub spec: Arc<ScriptSpec>,
    pub env: Env,
    pub inbox: Arc<Inbox>,
    pub number: u64,
    pub shared: Arc<Shared>,
    pub files: Files,
    pub grants: Grants,
    pub store: Store,
    /// The function of a `store.update` runs, which must not wait.
    pub in_update: Cell<bool>,
    pub login_codes: LoginCodes,
    pub budget: Rc<Budget>,
    pub phase: Cell<Phase>,
    pub handlers: Handlers,
    pub waiters: Waiters,
    pub prelude: OnceCell<Prelude>,
    pub unload: RefCell<Vec<Function>>,
    /// `script.state`.
    pub state: OnceCell<mlua::Table>,
    /// What the top level ended with.
    pub main_result: RefCell<Option<Result<(), Fault>>>,
    /// Where bundles are put together.
    pub buffer: RefCell<Vec<u8>>,
    /// The last container with many users and chats, and these as a Lua string.
    pub last_peers: RefCell<Option<(Update, mlua::LuaString)>>,
    /// Names that were asked for, with their Bot-API ids.
    pub resolved: RefCell<HashMap<String, i64>>,
    pub timers: RefCell<HashMap<u64, tokio::task::AbortHandle>>,
    pub(super) console: Console,
    next_timer: Cell<u64>,
    /// Its memory that Lua does not see.
    pub outside: Outside,
    /// Where a coroutine of the script's own ran out of memory, on the way to whoever ends its handler.
    pub memory_place: RefCell<Option<String>>,
    pub(super) strikes: Strikes,
    log_rate: LogRate,
    pub(super) pool: Pool,
    pub(super) waits: Waits,
    pub(super) turn: Cell<u32>,
    /// When the last call ended, where nothing else has run since: the next one begins then.
    pub(super) moment: Cell<Option<Duration>>,
    pub(super) jobs: RefCell<VecDeque<Job>>,
    /// Waits that have ended, with how.
    pub(super) done: RefCell<VecDeque<(u64, Outcome)>>,
    pub(super) wake: Notify,
}

/// What a worker is busy with.
#[allow(clippy::large_enum_variant)]
pub(super) enum Task {
    Update(Run),
    Job(Job),
}

/// A call of a Lua function that no update causes.
pub(super) struct Job {
    pub kind: JobKind,
    pub function: Function,
    pub args: (Value, Value),
    /// Its place in a `tg.in_order`.
    pub branch: Option<Rc<Branch>>,
    /// Of a handler, which is measured.
    pub call: Option<Call>,
    /// Of a timer, which holds the other end: a timer has one turn at a time.
    pub _turn: Option<Rc<()>>,
}

impl Job {
    pub fn new(kind: JobKind, function: Function, args: (Value, Value)) -> Job {
        Job { kind, function, args, branch: None, call: None, _turn: None }
    }

    /// Whether the inbox is busy while it runs: the top level runs before there is anything to be busy with.
    pub(super) fn is_work(&self) -> bool {
        self.kind != JobKind::Main
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum JobKind {
    Main,
    Start,
    /// `tg.spawn` and timers: gone with the version.
    Task,
    /// Of a `tg.in_order`: finishes with the handler that waits for it.
    Branch,
    Unload,
    Error,
    /// A line of the console, by the number that its answer waits under.
    Console(u64),
}

impl JobKind {
    /// Whether it is closed, without running another line, when another version takes over.
    pub(super) fn ends_with_version(self) -> bool {
        matches!(self, JobKind::Task | JobKind::Console(_))
    }
}

/// Makes the result of a wait: a value, or what to raise.
pub(super) type Outcome = Box<dyn FnOnce(&Lua, &Rc<Runtime>) -> mlua::Result<Result<Value, Value>>>;

/// What a worker is told: an action and its arguments.
pub(super) type Step = (Option<i64>, Value, Value, Value, Value, Value);

/// The actions, as `prelude/base.lua` knows them.
pub(super) const EVENT: i64 = 1;
pub(super) const AGAIN: i64 = 2;
pub(super) const PLAIN: i64 = 3;
pub(super) const FAILED: i64 = 4;

/// Told apart by their addresses; scripts never get hold of them.
static WAIT_MARK: u8 = 1;
static IDLE_MARK: u8 = 2;

pub(super) fn wait_mark() -> LightUserData {
    LightUserData((&raw const WAIT_MARK).cast_mut().cast())
}

pub(super) fn idle_mark() -> LightUserData {
    LightUserData((&raw const IDLE_MARK).cast_mut().cast())
}

impl Runtime {
    pub fn new(spec: Arc<ScriptSpec>, env: Env, inbox: Arc<Inbox>, number: u64, shared: Arc<Shared>) -> Rc<Runtime> {
        Rc::new(Runtime {
            files: Files::new(&spec),
            grants: Grants::new(&spec.allow),
            store: env.stores.of(&spec.name, spec.limits.store),
            in_update: Cell::new(false),
            login_codes: LoginCodes::new(&spec.allow, env.client.me().is_bot),
            budget: Budget::new(spec.limits.cpu, shared.beat.clone()),
            outside: Outside::new(spec.limits.memory),
            memory_place: RefCell::default(),
            strikes: Strikes::default(),
            log_rate: LogRate::default(),
            spec,
            env,
            inbox,
            number,
            handlers: Handlers::new(shared.profiles.clone()),
            shared,
            phase: Cell::new(Phase::Loading),
            waiters: Waiters::default(),
            prelude: OnceCell::new(),
            unload: RefCell::default(),
            state: OnceCell::new(),
            main_result: RefCell::default(),
            buffer: RefCell::default(),
            last_peers: RefCell::default(),
            resolved: RefCell::default(),
            timers: RefCell::default(),
            console: Console::default(),
            next_timer: Cell::new(0),
            pool: Pool::default(),
            waits: Waits::default(),
            turn: Cell::new(0),
            moment: Cell::new(None),
            jobs: RefCell::default(),
            done: RefCell::default(),
            wake: Notify::new(),
        })
    }

    /// The prelude's functions; they are there once the state is.
    pub fn prelude(&self) -> mlua::Result<&Prelude> {
        self.prelude.get().ok_or_else(|| mlua::Error::runtime("the prelude has not been loaded"))
    }

    pub fn name(&self) -> &str {
        &self.spec.name
    }

    // Jobs

    pub fn push_job(&self, job: Job) {
        if job.is_work() {
            self.inbox.work(true);
        }
        self.jobs.borrow_mut().push_back(job);
        self.wake.notify_one();
    }

    pub fn run_handlers_of(
        &self,
        lua: &Lua,
        event: EventKind,
        kind: JobKind,
        argument: impl IntoLua,
    ) -> mlua::Result<()> {
        let argument = argument.into_lua(lua)?;
        for handler in self.handlers.of(event) {
            let job = Job::new(kind, handler.function.clone(), (argument.clone(), Value::Nil));
            self.push_job(Job { call: Some(Call::of(&handler.profile)), ..job });
        }
        Ok(())
    }

    /// Runs a line of the console as a handler would be run; `answer` gets what it printed and returned, or the error.
    pub fn evaluate(&self, lua: &Lua, code: &str, answer: console::Answer) -> mlua::Result<()> {
        let function = console::load(lua)?;
        let code = Value::String(lua.create_string(code)?);
        let kind = JobKind::Console(self.console.open(answer));
        self.push_job(Job::new(kind, function, (code, Value::Nil)));
        Ok(())
    }

    // Time

    /// When what begins now begins.
    pub(super) fn begins(&self) -> Duration {
        self.moment.take().unwrap_or_else(|| self.env.clock.mono())
    }

    /// When what ends now ends.
    pub(super) fn ends(&self) -> Duration {
        let now = self.env.clock.mono();
        self.moment.set(Some(now));
        now
    }

    // Waits

    /// Begins a wait: `future` runs beside the handlers, and what it gives resumes the coroutine that then yields the
    /// number returned here.
    pub fn begin(self: &Rc<Self>, wait: Wait, future: impl Future<Output = Outcome> + 'static) -> u64 {
        let id = self.waits.open(wait);
        let this = self.clone();
        let task = tokio::task::spawn_local(async move {
            let outcome = future.await;
            this.complete(id, outcome);
        });
        self.waits.set_task(id, task.abort_handle());
        id
    }

    /// Ends a wait; a second end of the same one is ignored.
    pub fn complete(&self, id: u64, outcome: Outcome) {
        self.done.borrow_mut().push_back((id, outcome));
        self.wake.notify_one();
    }

    pub fn next_timer(&self) -> u64 {
        self.next_timer.set(self.next_timer.get() + 1);
        self.next_timer.get()
    }

    /// How many handlers wait in `ask`, `wait_for` and `sleep`.
    pub fn waiting(&self) -> usize {
        self.waits.releasing()
    }

    /// Handlers and tasks that run or wait.
    pub fn task_count(&self) -> usize {
        self.pool.busy()
    }

    /// Whether another task may be begun: what runs, and what is about to, is below the limit. What waits in `ask`,
    /// `wait_for` and `sleep` has a limit of its own.
    pub fn has_room(&self) -> bool {
        let busy = self.pool.busy() + self.jobs.borrow().len();
        busy < self.spec.limits.running + self.waits.releasing()
    }

    /// Whether the script's share of the log has room for a line of so many bytes; tells of what is left out.
    pub fn may_log(&self, bytes: usize) -> bool {
        let script = self.name();
        match self.log_rate.take(bytes, self.env.clock.now().mono) {
            Line::Written => true,
            Line::After(count) => {
                tracing::warn!(script, "{count} lines of {script} were left out of the log: it wrote too much");
                true
            }
            Line::FirstLeftOut => {
                tracing::warn!(script, "{script} writes too much to the log: lines are left out until it writes less");
                false
            }
            Line::LeftOut => false,
        }
    }
}

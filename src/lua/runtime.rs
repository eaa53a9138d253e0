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
use super::order::Branch;
use super::pool::Pool;
use super::spec::{Env, ScriptSpec};
use super::version::Shared;
pub(super) use super::waits::Wait;
use super::waits::Waits;
use crate::client::Update;

/// Handlers that one worker runs before timers and answers get their turn.
const TURN: u32 = 256;

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
    console: Console,
    next_timer: Cell<u64>,
    pool: Pool,
    waits: Waits,
    turn: Cell<u32>,
    jobs: RefCell<VecDeque<Job>>,
    /// Waits that have ended, with how.
    done: RefCell<VecDeque<(u64, Outcome)>>,
    wake: Notify,
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
}

impl Job {
    pub fn new(kind: JobKind, function: Function, args: (Value, Value)) -> Job {
        Job { kind, function, args, branch: None }
    }

    /// Whether the inbox is busy while it runs: the top level runs before there is anything to be busy with.
    fn is_work(&self) -> bool {
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
    fn ends_with_version(self) -> bool {
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

/// Nothing to do: the worker goes back to the pool.
fn park() -> Step {
    (None, Value::Nil, Value::Nil, Value::Nil, Value::Nil, Value::Nil)
}

impl Runtime {
    pub fn new(spec: Arc<ScriptSpec>, env: Env, inbox: Arc<Inbox>, number: u64, shared: Arc<Shared>) -> Rc<Runtime> {
        Rc::new(Runtime {
            files: Files::new(&spec),
            grants: Grants::new(&spec.allow),
            budget: Budget::new(spec.limits.cpu),
            spec,
            env,
            inbox,
            number,
            shared,
            phase: Cell::new(Phase::Loading),
            handlers: Handlers::default(),
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
            self.push_job(Job::new(kind, handler.function.clone(), (argument.clone(), Value::Nil)));
        }
        Ok(())
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

    // The worker's side

    /// What the running worker does next; `ok` and `value` are how the last function ended.
    pub fn next(self: &Rc<Self>, lua: &Lua, ok: Option<bool>, value: Value) -> mlua::Result<Step> {
        let Some(current) = self.pool.current.get() else { return Ok(park()) };
        let task = self.pool.take_task(current);
        let overrun = self.budget.take_overrun(lua, &self.budget);
        let mut next_claim = None;
        match (task, ok) {
            (Some(task), Some(ok)) => {
                let result = match overrun {
                    Some(place) => Err(Fault::cpu(self, &place, Some(&task))),
                    None if ok => Ok(value),
                    None => Err(Fault::from_note(lua, value)),
                };
                match task {
                    Task::Job(job) => self.end_job(lua, &job, result)?,
                    Task::Update(mut run) => {
                        self.took_result(lua, &mut run, result)?;
                        if let Some(step) = self.advance(lua, &mut run)? {
                            self.budget.renew();
                            self.pool.put_task(current, Task::Update(run));
                            return Ok(step);
                        }
                        let more = self.jobs.borrow().is_empty() && self.may_go_on();
                        next_claim = self.inbox.finish(run.claim, self.number, more);
                    }
                }
            }
            (Some(task), None) => self.pool.put_task(current, task),
            (None, _) => {}
        }
        self.budget.renew();
        if let Some(step) = self.next_job(current) {
            return Ok(step);
        }
        while self.may_go_on() {
            self.turn.set(self.turn.get() + 1);
            let claim = match next_claim.take() {
                Some(claim) => claim,
                None => match self.inbox.take(self.number) {
                    Some(claim) => claim,
                    None => break,
                },
            };
            let mut run = Run::new(claim, self);
            match self.advance(lua, &mut run) {
                Ok(Some(step)) => {
                    self.pool.put_task(current, Task::Update(run));
                    return Ok(step);
                }
                Ok(None) => next_claim = self.inbox.finish(run.claim, self.number, self.may_go_on()),
                Err(error) => {
                    self.inbox.finish(run.claim, self.number, false);
                    return Err(error);
                }
            }
        }
        debug_assert!(next_claim.is_none());
        Ok(park())
    }

    fn next_job(&self, current: usize) -> Option<Step> {
        let job = self.jobs.borrow_mut().pop_front()?;
        let step = (
            Some(PLAIN),
            Value::Function(job.function.clone()),
            job.args.0.clone(),
            job.args.1.clone(),
            Value::Nil,
            Value::Nil,
        );
        self.pool.put_task(current, Task::Job(job));
        Some(step)
    }

    /// Whether another update may be begun.
    fn may_go_on(&self) -> bool {
        self.turn.get() < TURN && self.takes_updates()
    }

    fn takes_updates(&self) -> bool {
        self.phase.get() == Phase::Active && self.pool.busy() < self.spec.limits.running + self.waits.releasing()
    }

    fn end_job(&self, lua: &Lua, job: &Job, result: Result<Value, Fault>) -> mlua::Result<()> {
        if job.kind == JobKind::Main {
            *self.main_result.borrow_mut() = Some(result.map(drop));
            return Ok(());
        }
        self.inbox.work(false);
        if let JobKind::Console(line) = job.kind {
            self.console.answer(line, result);
            return Ok(());
        }
        match result {
            Ok(_) => Ok(()),
            Err(fault) => self.report(lua, fault, job.kind != JobKind::Error),
        }
    }

    /// Runs a line of the console as a handler would be run; `answer` gets what it printed and returned, or the error.
    pub fn evaluate(&self, lua: &Lua, code: &str, answer: console::Answer) -> mlua::Result<()> {
        let function = console::load(lua)?;
        let code = Value::String(lua.create_string(code)?);
        let kind = JobKind::Console(self.console.open(answer));
        self.push_job(Job::new(kind, function, (code, Value::Nil)));
        Ok(())
    }

    /// Logs what a handler raised, and hands it to `tg.on_error` where `handlers` says so.
    pub fn report(&self, lua: &Lua, fault: Fault, handlers: bool) -> mlua::Result<()> {
        fault.log(self);
        self.shared.count_error();
        if handlers {
            let error = fault.to_table(lua, self)?;
            self.run_handlers_of(lua, EventKind::Error, JobKind::Error, error)?;
        }
        Ok(())
    }

    /// Does something with the update that the running handler is about, if it is about one.
    pub fn with_run<R>(&self, f: impl FnOnce(&mut Run) -> R) -> Option<R> {
        let current = self.pool.current.get()?;
        let of_run = |task: &mut Task| match task {
            Task::Update(run) => Some(f(run)),
            Task::Job(_) => None,
        };
        self.pool.with_task(current, of_run).flatten()
    }

    /// The job that runs, if it is one.
    pub fn with_job<R>(&self, f: impl FnOnce(&Job) -> R) -> Option<R> {
        let current = self.pool.current.get()?;
        let of_job = |task: &mut Task| match task {
            Task::Job(job) => Some(f(job)),
            Task::Update(_) => None,
        };
        self.pool.with_task(current, of_job).flatten()
    }

    // The scheduler's side

    /// Returns when there may be something to do.
    pub async fn wake(&self) {
        let takes = self.takes_updates();
        tokio::select! {
            () = self.wake.notified() => {}
            () = self.inbox.ready(self.number), if takes => {}
        }
    }

    /// Resumes what has its answer, then lets a worker run jobs and updates. Returns true when it used its turn up and
    /// should be called again soon.
    pub fn work(self: &Rc<Self>, lua: &Lua) -> mlua::Result<bool> {
        self.turn.set(0);
        loop {
            let Some((id, outcome)) = self.done.borrow_mut().pop_front() else { break };
            let Some((wait, Some(index))) = self.waits.close(id) else { continue };
            match outcome(lua, self) {
                Ok(result) => {
                    self.go_on(index, wait);
                    let args = match result {
                        Ok(value) => (true, value),
                        Err(error) => (false, error),
                    };
                    self.resume(lua, index, Some(args))?;
                }
                Err(error) => {
                    self.go_on(index, wait);
                    let message = self.describe_internal(&error).into_lua(lua)?;
                    self.resume(lua, index, Some((false, message)))?;
                }
            }
        }
        let index = match self.pool.take_idle() {
            Some(index) => index,
            None => self.pool.add(lua.create_thread(self.prelude()?.worker.clone())?),
        };
        self.resume(lua, index, None)?;
        Ok(self.turn.get() >= TURN || !self.jobs.borrow().is_empty() || !self.done.borrow().is_empty())
    }

    fn describe_internal(&self, error: &mlua::Error) -> String {
        match error {
            mlua::Error::MemoryError(_) => format!("not enough memory: the limit is {} bytes", self.spec.limits.memory),
            other => other.to_string(),
        }
    }

    fn resume(self: &Rc<Self>, lua: &Lua, index: usize, args: Option<(bool, Value)>) -> mlua::Result<()> {
        let Some(thread) = self.pool.thread(index) else { return Ok(()) };
        self.pool.current.set(Some(index));
        self.budget.renew();
        let result: mlua::Result<(Value, Value)> = match args {
            Some(args) => thread.resume(args),
            None => thread.resume(()),
        };
        self.pool.current.set(None);
        let overrun = self.budget.take_overrun(lua, &self.budget);
        match (result, overrun) {
            (Ok((Value::LightUserData(mark), _)), None) if mark == idle_mark() => {
                self.pool.park(index);
                Ok(())
            }
            (Ok((Value::LightUserData(mark), Value::Integer(op))), None) if mark == wait_mark() => {
                self.suspend(index, op as u64);
                Ok(())
            }
            (_, Some(place)) => {
                let fault = self.pool.with_task(index, |task| Fault::cpu(self, &place, Some(task)));
                let fault = fault.unwrap_or_else(|| Fault::cpu(self, &place, None));
                self.abandon(lua, index, fault)
            }
            (Err(error), None) => {
                let fault = Fault::internal(self.describe_internal(&error));
                self.abandon(lua, index, fault)
            }
            (Ok(_), None) => self.abandon(lua, index, Fault::internal("the handler's coroutine was taken from it")),
        }
    }

    /// The worker has yielded for a wait.
    fn suspend(&self, index: usize, id: u64) {
        let Some(wait) = self.waits.suspend(id, index) else { return };
        self.pool.set_wait(index, Some(id));
        self.pool.with_task(index, |task| match task {
            Task::Update(run) if wait == Wait::Call => self.inbox.suspend(&mut run.claim),
            Task::Update(run) => {
                run.released = true;
                self.inbox.release(&mut run.claim, wait.is_work());
            }
            Task::Job(job) if !wait.is_work() && job.is_work() => self.inbox.work(false),
            Task::Job(_) => {}
        });
    }

    fn go_on(&self, index: usize, wait: Wait) {
        self.pool.set_wait(index, None);
        self.pool.with_task(index, |task| match task {
            Task::Update(run) => self.inbox.go_on(&mut run.claim),
            Task::Job(job) if !wait.is_work() && job.is_work() => self.inbox.work(true),
            Task::Job(_) => {}
        });
    }

    /// Gives a worker up whose coroutine cannot go on, and ends what it did.
    fn abandon(&self, lua: &Lua, index: usize, fault: Fault) -> mlua::Result<()> {
        let task = self.pool.remove(index);
        match task {
            Some(Task::Update(run)) => {
                self.inbox.finish(run.claim, self.number, false);
                self.report(lua, fault, true)
            }
            Some(Task::Job(job)) => self.end_job(lua, &job, Err(fault)),
            None => {
                fault.log(self);
                Ok(())
            }
        }
    }

    // The end

    /// Takes no more, forgets timers and tasks, and closes what waits for a person without running another line of it.
    pub fn retire(&self) {
        self.phase.set(Phase::Retiring);
        self.inbox.give_up(self.number);
        self.waiters.clear();
        for (_, timer) in self.timers.borrow_mut().drain() {
            timer.abort();
        }
        self.jobs.borrow_mut().retain(|job| {
            let keep = !job.kind.ends_with_version();
            if !keep {
                self.inbox.work(false);
            }
            keep
        });
        let asks = |wait: Option<u64>| wait.and_then(|id| self.waits.kind(id)) == Some(Wait::Ask);
        let closes = |task: &Task, wait| asks(wait) || matches!(task, Task::Job(job) if job.kind.ends_with_version());
        for (index, wait) in self.pool.choose(closes) {
            self.drop_task(index, wait);
        }
        self.console.close();
        self.wake.notify_one();
    }

    /// Ends a task without running another line of it.
    fn drop_task(&self, index: usize, wait: Option<u64>) {
        let wait = wait.and_then(|id| self.waits.close(id)).map(|(wait, _)| wait);
        match self.pool.remove(index) {
            Some(Task::Update(run)) => drop(self.inbox.finish(run.claim, self.number, false)),
            Some(Task::Job(job)) if job.is_work() && wait.is_none_or(Wait::is_work) => self.inbox.work(false),
            _ => {}
        }
    }

    /// True when no handler runs any more.
    pub fn is_finished(&self) -> bool {
        self.jobs.borrow().is_empty() && self.task_count() == 0 && self.done.borrow().is_empty()
    }

    /// Lets go of all that belongs to the Lua state, and of the lanes that its handlers still hold.
    pub fn clear(&self) {
        for (index, wait) in self.pool.choose(|_, _| true) {
            self.drop_task(index, wait);
        }
        self.pool.clear();
        for job in self.jobs.borrow_mut().drain(..) {
            if job.is_work() {
                self.inbox.work(false);
            }
        }
        self.waits.clear();
        self.done.borrow_mut().clear();
        self.unload.borrow_mut().clear();
        self.handlers.clear();
        self.waiters.clear();
        self.last_peers.borrow_mut().take();
    }
}

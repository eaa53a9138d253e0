//! How a version's workers come to run: what each is told to do next, and what becomes of it when it waits, ends or fails.
//!
//! What a handler raises ends its worker: nothing in Lua catches it, so that even an error of memory leaves a stack that
//! tells the line. The update goes on with another worker.

use std::rc::Rc;

use mlua::{IntoLua, Lua, Thread, Value};

use super::dispatch::Run;
use super::events::EventKind;
use super::fault::Fault;
use super::inbox::Claim;
use super::outside::size;
use super::runtime::{Job, JobKind, PLAIN, Phase, Runtime, Step, Task, Wait, idle_mark, wait_mark};
use super::thread::{self, Resumed};

/// Handlers that one worker runs before timers and answers get their turn.
const TURN: u32 = 256;

/// What a worker is resumed with. It lives for a moment, and is made for each resume.
#[allow(clippy::large_enum_variant)]
enum Entry {
    /// It is new or idle, and asks what there is.
    Begin,
    /// The result of its wait.
    Answer(bool, Value),
    /// It takes another one's place: the event's object, and what to do.
    Instead(Value, Step),
}

/// Nothing to do: the worker goes back to the pool.
fn park() -> Step {
    (None, Value::Nil, Value::Nil, Value::Nil, Value::Nil, Value::Nil)
}

impl Runtime {
    // The worker's side

    /// What the running worker does next; `value` is what the last function returned, where there was one.
    pub fn next(self: &Rc<Self>, lua: &Lua, returned: Option<bool>, value: Value) -> mlua::Result<Step> {
        let Some(current) = self.pool.current.get() else { return Ok(park()) };
        let overrun = self.budget.take_overrun(lua, &self.budget);
        let mut next_claim = None;
        if returned.is_some()
            && let Some(task) = self.pool.take_task(current)
        {
            let result = match overrun {
                Some(place) => Err(Fault::cpu(lua, self, &place, None, Some(&task))),
                None => Ok(value),
            };
            match task {
                Task::Job(job) => self.end_job(lua, job, result),
                Task::Update(run) => match self.go_through(lua, current, run, result) {
                    Ok(step) => return Ok(step),
                    Err(claim) => next_claim = claim,
                },
            }
        }
        self.begin_something(lua, current, next_claim)
    }

    /// What comes now has a budget of its own.
    fn begin_anew(&self) {
        self.budget.renew();
        if self.memory_place.borrow().is_some() {
            self.memory_place.take();
        }
    }

    /// A job, or an update and its first handler.
    fn begin_something(
        self: &Rc<Self>,
        lua: &Lua,
        current: usize,
        mut next_claim: Option<Claim>,
    ) -> mlua::Result<Step> {
        self.begin_anew();
        if next_claim.is_none()
            && let Some(step) = self.next_job(current)
        {
            return Ok(step);
        }
        while self.may_go_on() || next_claim.is_some() {
            self.turn.set(self.turn.get() + 1);
            let Some(claim) = next_claim.take().or_else(|| self.inbox.take(self.number)) else { break };
            match self.step_of(lua, current, Run::new(claim, self)) {
                Ok(step) => return Ok(step),
                Err(claim) => next_claim = claim,
            }
        }
        Ok(park())
    }

    /// What the worker runs for an update whose handler has ended so; or the next update, where this one is done.
    fn go_through(
        self: &Rc<Self>,
        lua: &Lua,
        current: usize,
        mut run: Run,
        result: Result<Value, Fault>,
    ) -> Result<Step, Option<Claim>> {
        self.took_result(lua, &mut run, result);
        self.begin_anew();
        self.step_of(lua, current, run)
    }

    /// The update's next handler, or, where there is none, the next update.
    fn step_of(self: &Rc<Self>, lua: &Lua, current: usize, mut run: Run) -> Result<Step, Option<Claim>> {
        let step = if self.is_halted() { Ok(None) } else { self.advance(lua, &mut run) };
        match step {
            Ok(Some(step)) => {
                self.pool.put_task(current, Task::Update(run));
                return Ok(step);
            }
            Ok(None) => {}
            Err(error) => {
                let task = Task::Update(run);
                self.log(&Fault::of_host(self, &error, Some(&task)));
                let Task::Update(run) = task else { return Err(None) };
                return Err(self.inbox.finish(run.claim, self.number, false));
            }
        }
        let more = self.jobs.borrow().is_empty() && self.may_go_on();
        Err(self.inbox.finish(run.claim, self.number, more))
    }

    fn next_job(&self, current: usize) -> Option<Step> {
        let mut job = if self.is_halted() { None } else { self.jobs.borrow_mut().pop_front() }?;
        if let Some(call) = &mut job.call {
            call.begin(self.begins());
        }
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

    fn end_job(&self, lua: &Lua, mut job: Job, result: Result<Value, Fault>) {
        self.moment.set(None);
        if let Some(call) = &mut job.call {
            call.end(|| self.ends());
            if result.is_err() {
                call.failed();
            }
        }
        if job.kind == JobKind::Main {
            *self.main_result.borrow_mut() = Some(result.map(drop));
            return;
        }
        self.inbox.work(false);
        if let JobKind::Console(line) = job.kind {
            // Who typed it reads the error; that it went over a limit is not the script's doing.
            return self.console.answer(line, result);
        }
        let Err(fault) = result else { return };
        self.log(&fault);
        if job.kind == JobKind::Error || self.is_halted() {
            return;
        }
        let handed = fault
            .to_table(lua, self)
            .and_then(|error| self.run_handlers_of(lua, EventKind::Error, JobKind::Error, error));
        if let Err(error) = handed {
            self.log(&Fault::of_host(self, &error, None));
        }
    }

    /// Logs and counts what a handler raised; one limit too many stops the script.
    pub fn log(&self, fault: &Fault) {
        fault.log(self);
        self.shared.count_error();
        if fault.is_limit && self.strikes.add(self.env.clock.now().mono) && !self.is_halted() {
            self.halt();
        }
    }

    /// Does something with the job that runs, if it is one.
    pub fn with_job<R>(&self, f: impl FnOnce(&Job) -> R) -> Option<R> {
        let current = self.pool.current.get()?;
        let of_job = |task: &mut Task| match task {
            Task::Job(job) => Some(f(job)),
            Task::Update(_) => None,
        };
        self.pool.with_task(current, of_job).flatten()
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
        self.outside.tell(lua);
        while let Some((id, outcome)) = self.next_done() {
            let Some((wait, Some(index))) = self.waits.close(id) else { continue };
            let (ok, value) = match outcome(lua, self) {
                Ok(Ok(value)) => (true, value),
                Ok(Err(error)) => (false, error),
                Err(error) => (false, self.describe_internal(&error).into_lua(lua)?),
            };
            self.go_on(index, wait);
            self.resume(lua, index, Entry::Answer(ok, value))?;
        }
        if self.is_halted() {
            return Ok(false);
        }
        let index = match self.pool.take_idle() {
            Some(index) => index,
            None => match self.new_worker(lua) {
                Ok(index) => index,
                Err(error) => {
                    // There is no memory for a coroutine: a few more times, and the script is stopped.
                    self.log(&Fault::of_host(self, &error, None));
                    return Ok(false);
                }
            },
        };
        self.resume(lua, index, Entry::Begin)?;
        Ok(self.turn.get() >= TURN || !self.jobs.borrow().is_empty() || !self.done.borrow().is_empty())
    }

    fn next_done(&self) -> Option<(u64, super::runtime::Outcome)> {
        if self.is_halted() { None } else { self.done.borrow_mut().pop_front() }
    }

    fn describe_internal(&self, error: &mlua::Error) -> String {
        match error {
            mlua::Error::MemoryError(_) => {
                format!("not enough memory: the limit is {} (limits.memory)", size(self.spec.limits.memory))
            }
            other => other.to_string(),
        }
    }

    /// Lets a worker run until it waits or has nothing to do; where it fails, another goes on in its place.
    fn resume(self: &Rc<Self>, lua: &Lua, index: usize, entry: Entry) -> mlua::Result<()> {
        let mut next = Some((index, entry));
        while let Some((index, entry)) = next.take() {
            next = self.run_worker(lua, index, entry)?;
        }
        Ok(())
    }

    fn run_worker(self: &Rc<Self>, lua: &Lua, index: usize, entry: Entry) -> mlua::Result<Option<(usize, Entry)>> {
        let Some(thread) = self.pool.thread(index) else { return Ok(None) };
        self.pool.current.set(Some(index));
        self.moment.set(None);
        self.begin_anew();
        let resumed = match entry {
            Entry::Begin => thread::resume(lua, &thread, ()),
            Entry::Answer(ok, value) => thread::resume(lua, &thread, (ok, value)),
            Entry::Instead(event, (what, a, b, c, d, e)) => thread::resume(lua, &thread, (event, what, a, b, c, d, e)),
        };
        self.pool.current.set(None);
        let overrun = self.budget.take_overrun(lua, &self.budget);
        if overrun.is_none()
            && let Ok(Resumed::Yielded(Value::LightUserData(mark), op)) = &resumed
        {
            match op {
                Value::Nil if *mark == idle_mark() => {
                    self.pool.park(index);
                    return Ok(None);
                }
                Value::Integer(op) if *mark == wait_mark() => {
                    self.suspend(index, *op as u64);
                    return Ok(None);
                }
                _ => {}
            }
        }
        let task = self.pool.remove(index);
        let fault = match (resumed, overrun) {
            (_, Some(place)) => Fault::cpu(lua, self, &place, Some(&thread), task.as_ref()),
            (Ok(Resumed::Raised(raised)), None) => Fault::raised(lua, self, &thread, raised, task.as_ref()),
            (Err(error), None) => Fault::of_host(self, &error, task.as_ref()),
            (Ok(_), None) => Fault::internal("the handler's coroutine was taken from it"),
        };
        match task {
            Some(Task::Update(run)) => Ok(self.replace_worker(lua, thread, run, fault)),
            Some(Task::Job(job)) => {
                self.end_job(lua, job, Err(fault));
                Ok(None)
            }
            None => {
                self.log(&fault);
                Ok(None)
            }
        }
    }

    /// Another worker goes on with an update, after a handler whose coroutine cannot.
    fn replace_worker(
        self: &Rc<Self>,
        lua: &Lua,
        thread: Thread,
        mut run: Run,
        fault: Fault,
    ) -> Option<(usize, Entry)> {
        let event = thread::first_local(lua, &thread);
        if event.is_nil() {
            run.forget_event();
        }
        // Its stack may be what fills the memory.
        drop(thread);
        let another = match self.new_worker(lua) {
            Ok(another) => another,
            Err(error) => {
                self.log(&fault);
                self.log(&Fault::of_host(self, &error, None));
                self.inbox.finish(run.claim, self.number, false);
                return None;
            }
        };
        self.pool.current.set(Some(another));
        let mut step = self.go_through(lua, another, run, Err(fault));
        let mut event = Some(event);
        let entry = loop {
            match step {
                Ok(step) => break Some((another, Entry::Instead(event.unwrap_or(Value::Nil), step))),
                Err(Some(claim)) => {
                    // The event was the update's before.
                    event = None;
                    step = self.step_of(lua, another, Run::new(claim, self));
                }
                Err(None) => {
                    self.pool.park(another);
                    break None;
                }
            }
        };
        self.pool.current.set(None);
        entry
    }

    fn new_worker(&self, lua: &Lua) -> mlua::Result<usize> {
        Ok(self.pool.add(lua.create_thread(self.prelude()?.worker.clone())?))
    }

    /// The worker has yielded for a wait.
    fn suspend(&self, index: usize, id: u64) {
        let Some(wait) = self.waits.suspend(id, index) else { return };
        self.pool.set_wait(index, Some(id));
        self.pool.with_task(index, |task| match task {
            Task::Update(run) if wait == Wait::Call => self.inbox.suspend(&mut run.claim),
            Task::Update(run) => {
                run.call.iter_mut().for_each(|call| call.end(|| self.ends()));
                run.released = true;
                self.inbox.release(&mut run.claim, wait.is_work());
            }
            Task::Job(job) if wait != Wait::Call => {
                job.call.iter_mut().for_each(|call| call.end(|| self.ends()));
                if !wait.is_work() && job.is_work() {
                    self.inbox.work(false);
                }
            }
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
}

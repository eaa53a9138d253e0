//! The end of a version: retired for another, stopped for what it did, or done.

use super::runtime::{Phase, Runtime, Task, Wait};

impl Runtime {
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

    /// Stops the script for good: nothing of it runs another line. Whoever holds the version is told by its end.
    pub fn halt(&self) {
        self.phase.set(Phase::Halted);
        self.inbox.give_up(self.number);
        self.shared.set_halted();
        self.wake.notify_one();
    }

    pub fn is_halted(&self) -> bool {
        self.phase.get() == Phase::Halted
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

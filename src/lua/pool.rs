//! The coroutines that run handlers, and what each is busy with.

use std::cell::{Cell, RefCell};

use mlua::Thread;

use super::runtime::Task;

/// Idle coroutines that are kept for the next rush.
const SPARE: usize = 64;

#[derive(Default)]
pub(super) struct Pool {
    workers: RefCell<Vec<Worker>>,
    idle: RefCell<Vec<usize>>,
    /// Places of workers that are gone.
    free: RefCell<Vec<usize>>,
    /// Workers with a task.
    busy: Cell<usize>,
    /// The worker that runs now.
    pub current: Cell<Option<usize>>,
}

#[derive(Default)]
struct Worker {
    thread: Option<Thread>,
    task: Option<Task>,
    /// The wait it is in.
    wait: Option<u64>,
}

impl Pool {
    pub fn busy(&self) -> usize {
        self.busy.get()
    }

    pub fn add(&self, thread: Thread) -> usize {
        let worker = Worker { thread: Some(thread), ..Worker::default() };
        let mut workers = self.workers.borrow_mut();
        if let Some(index) = self.free.borrow_mut().pop() {
            workers[index] = worker;
            return index;
        }
        workers.push(worker);
        workers.len() - 1
    }

    pub fn take_idle(&self) -> Option<usize> {
        self.idle.borrow_mut().pop()
    }

    /// The worker has nothing to do.
    pub fn park(&self, index: usize) {
        let mut idle = self.idle.borrow_mut();
        if idle.len() < SPARE {
            idle.push(index);
            return;
        }
        drop(idle);
        self.remove(index);
    }

    pub fn thread(&self, index: usize) -> Option<Thread> {
        self.workers.borrow()[index].thread.clone()
    }

    pub fn take_task(&self, index: usize) -> Option<Task> {
        let task = self.workers.borrow_mut()[index].task.take();
        if task.is_some() {
            self.busy.set(self.busy.get() - 1);
        }
        task
    }

    /// Gives a task to a worker that has none.
    pub fn put_task(&self, index: usize, task: Task) {
        let before = self.workers.borrow_mut()[index].task.replace(task);
        debug_assert!(before.is_none(), "a worker has one task");
        self.busy.set(self.busy.get() + 1);
    }

    pub fn with_task<R>(&self, index: usize, f: impl FnOnce(&mut Task) -> R) -> Option<R> {
        self.workers.borrow_mut()[index].task.as_mut().map(f)
    }

    pub fn set_wait(&self, index: usize, wait: Option<u64>) {
        self.workers.borrow_mut()[index].wait = wait;
    }

    /// Gives a worker up; what it was busy with is the caller's to end.
    pub fn remove(&self, index: usize) -> Option<Task> {
        let task = self.take_task(index);
        self.workers.borrow_mut()[index] = Worker::default();
        self.free.borrow_mut().push(index);
        task
    }

    /// The workers for which `choose` says yes, by their task and the wait they are in.
    pub fn choose(&self, choose: impl Fn(&Task, Option<u64>) -> bool) -> Vec<(usize, Option<u64>)> {
        let workers = self.workers.borrow();
        let chosen = workers.iter().enumerate().filter_map(|(index, worker)| {
            let task = worker.task.as_ref()?;
            choose(task, worker.wait).then_some((index, worker.wait))
        });
        chosen.collect()
    }

    /// Lets go of all coroutines.
    pub fn clear(&self) {
        self.workers.borrow_mut().clear();
        self.idle.borrow_mut().clear();
        self.free.borrow_mut().clear();
        self.busy.set(0);
    }
}

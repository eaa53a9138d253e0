//! What suspended handlers wait for.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use tokio::task::AbortHandle;

/// What a wait does to the lane and to idleness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// For an answer of Telegram: the lane waits, too.
    Call,
    /// For a person, in `ask` and `wait_for`: closed when the version retires.
    Ask,
    /// In a long sleep.
    Sleep,
    /// In a sleep that is short enough to count as work.
    Nap,
}

impl Wait {
    /// Whether the script is at work meanwhile.
    pub fn is_work(self) -> bool {
        matches!(self, Wait::Call | Wait::Nap)
    }
}

/// All waits of a version.
#[derive(Default)]
pub(super) struct Waits {
    open: RefCell<HashMap<u64, Op>>,
    last: Cell<u64>,
    /// Those that are not for an answer of Telegram.
    releasing: Cell<usize>,
}

struct Op {
    wait: Wait,
    /// Known once the worker has yielded.
    worker: Option<usize>,
    task: Option<AbortHandle>,
}

impl Waits {
    pub fn open(&self, wait: Wait) -> u64 {
        let id = self.last.get() + 1;
        self.last.set(id);
        self.open.borrow_mut().insert(id, Op { wait, worker: None, task: None });
        if wait != Wait::Call {
            self.releasing.set(self.releasing.get() + 1);
        }
        id
    }

    /// The task that will complete it, and that ends with it.
    pub fn set_task(&self, id: u64, task: AbortHandle) {
        if let Some(op) = self.open.borrow_mut().get_mut(&id) {
            op.task = Some(task);
        }
    }

    /// The worker has yielded for it.
    pub fn suspend(&self, id: u64, worker: usize) -> Option<Wait> {
        let mut open = self.open.borrow_mut();
        let op = open.get_mut(&id)?;
        op.worker = Some(worker);
        Some(op.wait)
    }

    pub fn kind(&self, id: u64) -> Option<Wait> {
        self.open.borrow().get(&id).map(|op| op.wait)
    }

    /// Ends it, its task too; who waited, and how. `None` where it has ended before.
    pub fn close(&self, id: u64) -> Option<(Wait, Option<usize>)> {
        let op = self.open.borrow_mut().remove(&id)?;
        if op.wait != Wait::Call {
            self.releasing.set(self.releasing.get() - 1);
        }
        if let Some(task) = op.task {
            task.abort();
        }
        Some((op.wait, op.worker))
    }

    /// How many handlers wait in `ask`, `wait_for` and `sleep`.
    pub fn releasing(&self) -> usize {
        self.releasing.get()
    }

    pub fn clear(&self) {
        self.open.borrow_mut().clear();
        self.releasing.set(0);
    }
}

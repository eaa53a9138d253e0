//! `tg.in_order`: functions that run side by side, and whose calls Telegram does in order.
//!
//! Each function is a job with a [`Turn`], which its first call takes. One that ends without a call passes its place on; one that
//! raises, or is stopped, bars what comes after it.

use std::rc::Rc;

use mlua::{Function, Value};
use tokio::sync::oneshot;

use super::natives::tasks::nothing;
use super::runtime::{Job, JobKind, Runtime, Wait};
use crate::client::Turn;

/// A function's place in an order. When the last of an order is gone, the order is over.
pub(super) struct Branch {
    pub turn: Turn,
    /// Dropped with it.
    _order: Rc<oneshot::Sender<()>>,
}

impl Drop for Branch {
    fn drop(&mut self) {
        // No effect where it took its turn, or passed it on.
        self.turn.fail();
    }
}

/// Starts the functions: those of a step have no order among themselves. Returns the wait that ends when all have ended.
pub(super) fn begin(runtime: &Rc<Runtime>, steps: Vec<Vec<Function>>) -> u64 {
    let (order, over) = oneshot::channel::<()>();
    let order = Rc::new(order);
    // What a task runs is gone with the version, as the task is.
    let of_task = runtime.with_job(|job| job.kind == JobKind::Task) == Some(true);
    let kind = if of_task { JobKind::Task } else { JobKind::Branch };
    let mut before: Vec<Turn> = Vec::new();
    for step in steps {
        let turns: Vec<Turn> = step.iter().map(|_| Turn::after(before.clone())).collect();
        for (function, turn) in step.into_iter().zip(&turns) {
            let branch = Rc::new(Branch { turn: turn.clone(), _order: order.clone() });
            let job = Job::new(kind, function, (Value::Nil, Value::Nil));
            runtime.push_job(Job { branch: Some(branch), ..job });
        }
        if !turns.is_empty() {
            before = turns;
        }
    }
    drop(order);
    runtime.begin(Wait::Call, async move {
        // Nothing is ever sent: its end is what tells.
        let _ = over.await;
        nothing()
    })
}

//! Natives that wait without calling Telegram: sleep, ask, timers, tasks.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use mlua::{AnyUserData, Function, LuaString, Value};

use super::calls::may_wait;
use super::{Answer, Natives};
use crate::lua::dispatch::Waiter;
use crate::lua::events::EventKind;
use crate::lua::filters::Filter;
use crate::lua::order;
use crate::lua::runtime::{Job, JobKind, Outcome, Phase, Runtime, Wait};

/// A sleep of up to this many seconds counts as work.
const NAP: f64 = 5.0;
/// Functions that one `tg.in_order` runs.
const MOST_IN_ORDER: usize = 100;
/// Nobody waits longer than ten years.
const LONGEST: f64 = 10.0 * 365.0 * 86_400.0;

pub(super) fn install(natives: &Natives) -> mlua::Result<()> {
    natives.add("sleep", |_, runtime, seconds: Value| -> Answer<u64> {
        let checked = may_wait(runtime, "tg.sleep")
            .and_then(|()| wait_allowed(runtime))
            .and_then(|()| duration("tg.sleep", &seconds));
        Ok(checked.map(|time| {
            let clock = runtime.env.clock.clone();
            let wait = if time.as_secs_f64() <= NAP { Wait::Nap } else { Wait::Sleep };
            runtime.begin(wait, async move {
                clock.sleep(time).await;
                nothing()
            })
        }))
    })?;
    type WaitFor = (LuaString, Option<AnyUserData>, Option<i64>, Option<i64>, Value);
    natives.add("wait_for", |_, runtime, (event, filter, chat, user, timeout): WaitFor| -> Answer<u64> {
        let event = event.to_string_lossy();
        let Some(event) = EventKind::by_name(&event).filter(|kind| kind.is_update()) else {
            return Ok(Err(format!("tg.wait_for: there is no event {event} to wait for")));
        };
        let checked = may_wait(runtime, "tg.wait_for")
            .and_then(|()| wait_allowed(runtime))
            .and_then(|()| duration("tg.wait_for", &timeout));
        let time = match checked {
            Ok(time) => time,
            Err(problem) => return Ok(Err(problem)),
        };
        let filter = filter.map(|filter| filter.borrow::<Filter>().map(|filter| filter.0.clone())).transpose()?;
        let clock = runtime.env.clock.clone();
        let number = Rc::new(Cell::new(0));
        let (this, late) = (runtime.clone(), number.clone());
        let op = runtime.begin(Wait::Ask, async move {
            clock.sleep(time).await;
            this.waiters.remove(late.get(), chat);
            nothing()
        });
        // The future has not run yet: it learns its number in time.
        number.set(op);
        runtime.waiters.add(Waiter { op, event, chat, user, filter });
        Ok(Ok(op))
    })?;
    natives.add("spawn", |_, runtime, function: Function| -> Answer<bool> {
        if runtime.phase.get() == Phase::Loading {
            return Ok(Err("tg.spawn: the top level only registers: put it into tg.on_start(function() … end)".into()));
        }
        if runtime.task_count() >= runtime.spec.limits.running + runtime.spec.limits.waiting {
            return Ok(Err(format!("tg.spawn: more than {} handlers and tasks run", runtime.spec.limits.running)));
        }
        runtime.push_job(Job::new(JobKind::Task, function, (Value::Nil, Value::Nil)));
        Ok(Ok(true))
    })?;
    natives.add("in_order", |_, runtime, steps: Vec<Vec<Function>>| -> Answer<u64> {
        let functions = steps.iter().map(Vec::len).sum::<usize>();
        let checked = may_wait(runtime, "tg.in_order").and_then(|()| match functions > MOST_IN_ORDER {
            true => Err(format!("tg.in_order takes up to {MOST_IN_ORDER} functions, got {functions}")),
            false => Ok(()),
        });
        Ok(checked.map(|()| order::begin(runtime, steps)))
    })?;
    natives.add("passed", |_, runtime, ()| {
        runtime.with_job(|job| job.branch.iter().for_each(|branch| branch.turn.pass()));
        Ok(())
    })?;
    natives.add(
        "timer",
        |_, runtime, (name, seconds, function, again): (String, Value, Value, bool)| -> Answer<u64> {
            let Value::Function(function) = function else {
                return Ok(Err(format!("{name} expects a function, got {}", super::type_of(&function))));
            };
            let time = match duration(&name, &seconds) {
                Ok(time) if again && time < Duration::from_millis(1) => {
                    return Ok(Err(format!("{name}: more often than every ms")));
                }
                Ok(time) => time,
                Err(problem) => return Ok(Err(problem)),
            };
            let limit = runtime.spec.limits.timers;
            if runtime.timers.borrow().len() >= limit {
                return Ok(Err(format!("{name}: the script has {limit} timers already")));
            }
            Ok(Ok(timer(runtime, time, function, again)))
        },
    )?;
    natives.add("cancel_timer", |_, runtime, id: u64| {
        let timer = runtime.timers.borrow_mut().remove(&id);
        if let Some(timer) = &timer {
            timer.abort();
        }
        Ok(timer.is_some())
    })?;
    natives.add("chat_of_run", |_, runtime, ()| {
        let update = runtime.with_run(|run| run.claim.update.clone());
        let me = runtime.env.client.me();
        let view = update.as_ref().and_then(|update| crate::lua::events::View::new(update, &me));
        Ok(match view {
            Some(view) => (view.chat().map(|peer| peer.id()), view.sender_id()),
            None => (None, None),
        })
    })
}

pub(in crate::lua) fn nothing() -> Outcome {
    Box::new(|_, _| Ok(Ok(Value::Nil)))
}

fn wait_allowed(runtime: &Runtime) -> Result<(), String> {
    let limit = runtime.spec.limits.waiting;
    if runtime.waiting() < limit {
        Ok(())
    } else {
        Err(format!("more than {limit} handlers wait in ask, wait_for and sleep"))
    }
}

fn duration(what: &str, seconds: &Value) -> Result<Duration, String> {
    let number = match seconds {
        Value::Integer(number) => *number as f64,
        Value::Number(number) => *number,
        other => return Err(format!("{what} expects seconds, got {}", super::type_of(other))),
    };
    if number.is_nan() || number < 0.0 {
        return Err(format!("{what} expects seconds, got {number}"));
    }
    Ok(Duration::from_secs_f64(number.min(LONGEST)))
}

/// Timers of the top level begin to count when they are made, and fire once the version is live.
fn timer(runtime: &Rc<Runtime>, time: Duration, function: Function, again: bool) -> u64 {
    let id = runtime.next_timer();
    let this = runtime.clone();
    let task = tokio::task::spawn_local(async move {
        let clock = this.env.clock.clone();
        let mut at = clock.now().mono;
        loop {
            at += time;
            clock.sleep_until(at).await;
            while this.phase.get() != Phase::Active {
                clock.sleep(Duration::from_millis(10)).await;
            }
            this.push_job(Job::new(JobKind::Task, function.clone(), (Value::Nil, Value::Nil)));
            if !again {
                this.timers.borrow_mut().remove(&id);
                return;
            }
            // What was missed is not made up for.
            at = at.max(clock.now().mono.saturating_sub(time));
        }
    });
    runtime.timers.borrow_mut().insert(id, task.abort_handle());
    id
}

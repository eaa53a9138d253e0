//! Natives of `prelude/timer.lua`: after, every, cron.

use std::rc::Rc;
use std::time::Duration;

use mlua::{Function, LuaString, Value};

use super::tasks::duration;
use super::{Answer, Natives, type_of};
use crate::lua::runtime::{Job, JobKind, Phase, Runtime};
use crate::lua::schedule::Schedule;

pub(super) fn install(natives: &Natives) -> mlua::Result<()> {
    type Timer = (LuaString, Value, Value, bool);
    natives.add("timer", |_, runtime, (name, seconds, function, again): Timer| -> Answer<u64> {
        let name = name.to_string_lossy();
        let made = function_of(runtime, &name, function).and_then(|function| {
            let time = duration(&name, &seconds)?;
            if again && time < Duration::from_millis(1) {
                return Err(format!("{name}: more often than every ms"));
            }
            Ok((function, if again { When::Every(time) } else { When::After(time) }))
        });
        Ok(made.map(|(function, when)| begin(runtime, when, function)))
    })?;
    type Cron = (Value, Value, Option<LuaString>);
    natives.add("cron", |_, runtime, (pattern, function, zone): Cron| -> Answer<u64> {
        let Value::String(pattern) = pattern else {
            return Ok(Err(format!("timer.cron expects a pattern, got {}", type_of(&pattern))));
        };
        let made = function_of(runtime, "timer.cron", function).and_then(|function| {
            let zone = zone.map(|zone| zone.to_string_lossy());
            let schedule = Schedule::parse(&pattern.to_string_lossy(), zone.as_deref())?;
            let now = runtime.env.clock.now().unix;
            if schedule.next(now).is_none() {
                return Err(format!("{:?} names a time that never comes", schedule.pattern()));
            }
            Ok((function, When::Cron(Box::new(schedule))))
        });
        let made = made.map_err(|problem| match problem.starts_with("timer.cron") {
            true => problem,
            false => format!("timer.cron: {problem}"),
        });
        Ok(made.map(|(function, when)| begin(runtime, when, function)))
    })?;
    natives.add("cancel_timer", |_, runtime, id: u64| {
        let timer = runtime.timers.borrow_mut().remove(&id);
        if let Some(timer) = &timer {
            timer.abort();
        }
        Ok(timer.is_some())
    })
}

fn function_of(runtime: &Runtime, name: &str, function: Value) -> Result<Function, String> {
    let Value::Function(function) = function else {
        return Err(format!("{name} expects a function, got {}", type_of(&function)));
    };
    let limit = runtime.spec.limits.timers;
    if runtime.timers.borrow().len() >= limit {
        return Err(format!("{name}: the script has {limit} timers already (limits.timers)"));
    }
    Ok(function)
}

/// When a timer is due.
enum When {
    After(Duration),
    Every(Duration),
    Cron(Box<Schedule>),
}

impl When {
    fn name(&self) -> String {
        match self {
            When::After(time) => format!("timer.after({}, …)", time.as_secs_f64()),
            When::Every(time) => format!("timer.every({}, …)", time.as_secs_f64()),
            When::Cron(schedule) => format!("timer.cron({:?}, …)", schedule.pattern()),
        }
    }

    /// The next time on the monotonic scale, after one that was due at `last`.
    fn next(&self, runtime: &Runtime, last: Duration) -> Option<Duration> {
        let now = runtime.env.clock.now();
        match self {
            When::After(_) => None,
            // What was missed is not made up for.
            When::Every(time) => Some((last + *time).max(now.mono)),
            When::Cron(schedule) => schedule.next(now.unix).map(|next| now.mono + next.saturating_sub(now.unix)),
        }
    }
}

/// Timers of the top level begin to count when they are made, and fire once the version is live.
fn begin(runtime: &Rc<Runtime>, when: When, function: Function) -> u64 {
    let id = runtime.next_timer();
    let now = runtime.env.clock.now().mono;
    let mut due = match &when {
        When::After(time) | When::Every(time) => Some(now + *time),
        When::Cron(_) => when.next(runtime, now),
    };
    let this = runtime.clone();
    let task = tokio::task::spawn_local(async move {
        let clock = this.env.clock.clone();
        let turn = Rc::new(());
        while let Some(at) = due {
            clock.sleep_until(at).await;
            while this.phase.get() != Phase::Active {
                clock.sleep(Duration::from_millis(10)).await;
            }
            let again = !matches!(when, When::After(_));
            // A script that is behind with its tasks misses a turn of what comes again, and gets late what does not.
            while !again && !this.has_room() {
                clock.sleep(Duration::from_millis(10)).await;
            }
            if Rc::strong_count(&turn) > 1 || !this.has_room() {
                skipped(&this, &when);
            } else {
                let job = Job::new(JobKind::Task, function.clone(), (Value::Nil, Value::Nil));
                this.push_job(Job { _turn: Some(turn.clone()), ..job });
            }
            due = when.next(&this, at);
        }
        this.timers.borrow_mut().remove(&id);
    });
    runtime.timers.borrow_mut().insert(id, task.abort_handle());
    id
}

/// The function still runs, or waits, from the last time: a second one beside it would be one too many, and in the end a
/// thousand. Or the script has too many tasks of other kinds.
fn skipped(runtime: &Runtime, when: &When) {
    let (script, name) = (runtime.name(), when.name());
    match when {
        When::Cron(_) => {
            tracing::warn!(target: "script", script, "{name} is due while it still runs, or too much else does: it is left out this time")
        }
        _ => {
            tracing::debug!(target: "script", script, "{name} is due while it still runs, or too much else does: it is left out this time")
        }
    }
}

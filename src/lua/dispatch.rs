//! One update through one script: what answers an `ask`, then the handlers, group by group.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use mlua::{LightUserData, Lua, Value};

use super::convert::object_to_lua;
use super::events::{Bundle, EventKind, View, message_of};
use super::fault::Fault;
use super::filters::{Evaluation, How, Node};
use super::handlers::{Handler, Plan};
use super::inbox::Claim;
use super::profile::Call;
use super::runtime::{AGAIN, EVENT, FAILED, Outcome, PLAIN, Runtime, Step};
use crate::client::Update;

/// An update on its way through the handlers.
pub(super) struct Run {
    pub claim: Claim,
    /// The handler waited in `ask` or `sleep`: what is left of propagation is over.
    pub released: bool,
    pub stopped: bool,
    /// The handler at hand wants the next one of its group to have a go.
    pub continued: bool,
    /// The handler that runs, or ran last.
    pub handler: Option<Rc<Handler>>,
    /// Of the handler, of `tg.on_error` as well, that runs or ran last.
    pub call: Option<Call>,
    kind: EventKind,
    plan: Rc<Plan>,
    group: usize,
    from: usize,
    /// Answers of Lua filters.
    answers: Vec<(u32, bool)>,
    asked: Option<u32>,
    /// `ask`s are looked at before handlers.
    waiters_done: bool,
    /// What the message object in the worker was made with.
    made: Option<How>,
    /// Handlers of `tg.on_error` that have yet to hear of it.
    errors: Vec<(Value, Rc<Handler>)>,
    in_error_handler: bool,
}

impl Run {
    pub fn new(claim: Claim, runtime: &Runtime) -> Run {
        let kind = EventKind::of(claim.update.id);
        // What is withheld passes by every handler, and counts as delivered.
        let withheld = runtime.login_codes.withholds(&claim.update);
        Run {
            claim,
            released: false,
            stopped: false,
            continued: false,
            handler: None,
            call: None,
            kind,
            plan: runtime.handlers.plan(kind),
            group: if withheld { usize::MAX } else { 0 },
            from: 0,
            answers: Vec::new(),
            asked: None,
            waiters_done: withheld || runtime.waiters.is_empty(),
            made: None,
            errors: Vec::new(),
            in_error_handler: false,
        }
    }

    /// The event's object is not there: whoever needs it next makes it.
    pub fn forget_event(&mut self) {
        self.made = None;
    }

    /// Whether what runs for it now is a filter written in Lua.
    pub fn asks_filter(&self) -> bool {
        self.asked.is_some()
    }
}

/// Someone who waits in `ask` or `wait_for`.
pub(super) struct Waiter {
    /// The wait that what comes completes.
    pub op: u64,
    pub event: EventKind,
    pub chat: Option<i64>,
    pub user: Option<i64>,
    pub filter: Option<Rc<Node>>,
}

/// All waiters of a version, by chat.
#[derive(Default)]
pub(super) struct Waiters(RefCell<HashMap<Option<i64>, Vec<Rc<Waiter>>>>);

impl Waiters {
    pub fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    pub fn add(&self, waiter: Waiter) {
        self.0.borrow_mut().entry(waiter.chat).or_default().push(Rc::new(waiter));
    }

    /// False where it is gone already.
    pub fn remove(&self, op: u64, chat: Option<i64>) -> bool {
        let mut all = self.0.borrow_mut();
        let Some(list) = all.get_mut(&chat) else { return false };
        let before = list.len();
        list.retain(|waiter| waiter.op != op);
        let removed = list.len() < before;
        if list.is_empty() {
            all.remove(&chat);
        }
        removed
    }

    pub fn clear(&self) {
        self.0.borrow_mut().clear();
    }

    fn of(&self, chat: Option<i64>) -> Vec<Rc<Waiter>> {
        let all = self.0.borrow();
        let mut found: Vec<Rc<Waiter>> = all.get(&chat).cloned().unwrap_or_default();
        if chat.is_some() {
            found.extend(all.get(&None).into_iter().flatten().cloned());
        }
        found
    }
}

/// How the prelude names the buffer; it is read by `native.bundle_at` before anything else is written into it.
fn bundle_place(buffer: &RefCell<Vec<u8>>) -> LightUserData {
    LightUserData(std::ptr::from_ref(buffer).cast_mut().cast())
}

/// The bytes of a buffer named by [`bundle_place`] as a Lua string: what mlua would do, without a protected call for it.
/// The function is called by Lua, so an error of memory unwinds to the `pcall` around the handler.
///
/// # Safety
/// To be called by Lua, with such a place as its only argument, while the runtime lives.
#[allow(unsafe_code)]
pub(super) unsafe extern "C-unwind" fn bundle_at(state: *mut mlua::lua_State) -> std::ffi::c_int {
    // SAFETY: the prelude passes on what it was given, and the runtime, which owns the buffer, outlives the state's calls.
    // Nothing here needs to be dropped when Lua jumps out of the allocation.
    unsafe {
        let buffer = mlua::ffi::lua_touserdata(state, 1).cast::<RefCell<Vec<u8>>>();
        if buffer.is_null() {
            mlua::ffi::lua_pushnil(state);
            return 1;
        }
        let bytes = &*(*buffer).as_ptr();
        mlua::ffi::lua_pushlstring(state, bytes.as_ptr().cast(), bytes.len());
    }
    1
}

/// What a look at the handlers found.
enum Found {
    Handler(Rc<Handler>, How),
    /// A Lua filter has to be asked first.
    Ask(mlua::Function),
}

impl Runtime {
    /// Notes how the handler, or the Lua filter, ended that the last step began.
    pub fn took_result(&self, lua: &Lua, run: &mut Run, result: Result<Value, Fault>) {
        let was_error_handler = std::mem::take(&mut run.in_error_handler);
        if let Some(leaf) = run.asked.take() {
            self.moment.set(None);
            let answer = match result {
                Ok(value) => !matches!(value, Value::Nil | Value::Boolean(false)),
                Err(fault) => {
                    self.fail_run(lua, run, &fault);
                    false
                }
            };
            run.answers.push((leaf, answer));
            return;
        }
        if let Some(call) = &mut run.call {
            call.end(|| self.ends());
            if result.is_err() {
                call.failed();
            }
        }
        if was_error_handler {
            if let Err(fault) = result {
                self.log(&fault);
            }
            return;
        }
        if let Err(fault) = result {
            self.fail_run(lua, run, &fault);
        }
        // The first handler of a group that matches ends the group, unless it said otherwise.
        if !std::mem::take(&mut run.continued) {
            run.group += 1;
            run.from = 0;
        }
    }

    fn fail_run(&self, lua: &Lua, run: &mut Run, fault: &Fault) {
        self.log(fault);
        let handlers = self.handlers.of(EventKind::Error);
        if handlers.is_empty() {
            return;
        }
        match fault.to_table(lua, self) {
            Ok(error) => run.errors.extend(handlers.into_iter().rev().map(|handler| (error.clone(), handler))),
            Err(error) => self.log(&Fault::of_host(self, &error, None)),
        }
    }

    /// The next thing to run for this update; `None` when it is done.
    pub fn advance(self: &Rc<Self>, lua: &Lua, run: &mut Run) -> mlua::Result<Option<Step>> {
        if let Some((error, handler)) = run.errors.pop() {
            run.in_error_handler = true;
            self.begin_call(run, &handler);
            let function = Value::Function(handler.function.clone());
            return Ok(Some((Some(FAILED), function, error, Value::Nil, Value::Nil, Value::Nil)));
        }
        if run.stopped || run.released || run.waiters_done && run.group >= run.plan.groups.len() {
            return Ok(None);
        }
        let me = self.env.client.me();
        let update = run.claim.update.clone();
        let Some(view) = View::new(&update, &me) else {
            tracing::warn!(script = self.name(), id = update.id, "an update that cannot be read is left out");
            return Ok(None);
        };
        if !run.waiters_done {
            match self.offer_to_waiters(run, &view) {
                Ok(true) => return Ok(None),
                Ok(false) => run.waiters_done = true,
                Err(function) => return self.ask_filter(lua, run, function).map(Some),
            }
        }
        match self.find(run, &view) {
            None => Ok(None),
            Some(Found::Ask(function)) => self.ask_filter(lua, run, function).map(Some),
            Some(Found::Handler(handler, how)) => {
                self.shared.count_call();
                run.handler = Some(handler.clone());
                self.begin_call(run, &handler);
                if handler.event == EventKind::RawUpdate {
                    let raw = crate::tl::decode_object(update.raw()).map_err(mlua::Error::external)?;
                    let raw = object_to_lua(lua, &raw)?;
                    let function = Value::Function(handler.function.clone());
                    return Ok(Some((Some(PLAIN), function, raw, Value::Nil, Value::Nil, Value::Nil)));
                }
                self.event_step(lua, run, handler.function.clone(), how).map(Some)
            }
        }
    }

    fn begin_call(&self, run: &mut Run, handler: &Handler) {
        let mut call = Call::of(&handler.profile);
        call.begin(self.begins());
        run.call = Some(call);
    }

    fn ask_filter(&self, lua: &Lua, run: &mut Run, function: mlua::Function) -> mlua::Result<Step> {
        self.event_step(lua, run, function, How::default())
    }

    /// Looks for the next handler that matches, from where the run stands.
    fn find(&self, run: &mut Run, view: &View) -> Option<Found> {
        let plan = run.plan.clone();
        let set = self.handlers.pattern_set();
        while let Some(group) = plan.groups.get(run.group) {
            let mut evaluation = Evaluation {
                view,
                answers: &run.answers,
                patterns: set.as_deref(),
                matches: None,
                how: How::default(),
            };
            let mut found = None;
            let mut at = run.from;
            group.candidates(view, run.from, |index, handler| {
                if handler.is_removed() {
                    return true;
                }
                evaluation.how = How::default();
                match handler.filter.as_ref().map_or(Ok(true), |filter| filter.matches(&mut evaluation)) {
                    Ok(false) => true,
                    Ok(true) => {
                        at = index + 1;
                        found = Some(Ok((handler.clone(), evaluation.how)));
                        false
                    }
                    Err(ask) => {
                        at = index;
                        found = Some(Err((ask.0.id, ask.0.function.clone())));
                        false
                    }
                }
            });
            match found {
                Some(Ok((handler, how))) => {
                    run.from = at;
                    return Some(Found::Handler(handler, how));
                }
                Some(Err((leaf, function))) => {
                    run.from = at;
                    run.asked = Some(leaf);
                    return Some(Found::Ask(function));
                }
                None => {
                    run.group += 1;
                    run.from = 0;
                }
            }
        }
        None
    }

    /// True where someone waited for just this update. `Err` is a Lua filter to be asked first.
    fn offer_to_waiters(self: &Rc<Self>, run: &mut Run, view: &View) -> Result<bool, mlua::Function> {
        let chat = view.chat().map(|peer| peer.id());
        for waiter in self.waiters.of(chat) {
            if waiter.event != run.kind || waiter.user.is_some() && waiter.user != view.sender_id() {
                continue;
            }
            // An `ask` hears what others write.
            if waiter.user.is_none() && view.outgoing() && waiter.chat.is_some() {
                continue;
            }
            let mut evaluation =
                Evaluation { view, answers: &run.answers, patterns: None, matches: None, how: How::default() };
            match waiter.filter.as_ref().map_or(Ok(true), |filter| filter.matches(&mut evaluation)) {
                Ok(false) => continue,
                Err(ask) => {
                    let function = ask.0.function.clone();
                    run.asked = Some(ask.0.id);
                    return Err(function);
                }
                Ok(true) => {}
            }
            if !self.waiters.remove(waiter.op, waiter.chat) {
                continue;
            }
            let (update, how) = (run.claim.update.clone(), evaluation.how);
            let outcome: Outcome = Box::new(move |lua, runtime| {
                let (make, a, b, c) = runtime.event_parts(lua, &update, how)?;
                Ok(Ok(make.call((a, b, c))?))
            });
            self.complete(waiter.op, outcome);
            return Ok(true);
        }
        Ok(false)
    }

    /// Tells the worker to call a function with the event's object, which is made once for an update.
    fn event_step(&self, lua: &Lua, run: &mut Run, function: mlua::Function, how: How) -> mlua::Result<Step> {
        let function = Value::Function(function);
        if let Some(made) = run.made {
            let (set, how) = if made == how {
                (Value::Nil, Value::Nil)
            } else {
                run.made = Some(how);
                (Value::Function(self.prelude()?.set_how.clone()), Value::Integer(how.pack()))
            };
            return Ok((Some(AGAIN), function, set, how, Value::Nil, Value::Nil));
        }
        run.made = Some(how);
        let (make, a, b, c) = self.event_parts(lua, &run.claim.update, how)?;
        Ok((Some(EVENT), function, Value::Function(make), a, b, c))
    }

    /// The prelude's constructor for an update's event, and its arguments.
    pub fn event_parts(
        &self,
        lua: &Lua,
        update: &Update,
        how: How,
    ) -> mlua::Result<(mlua::Function, Value, Value, Value)> {
        let prelude = self.prelude()?;
        let how = Value::Integer(how.pack());
        match EventKind::of(update.id) {
            EventKind::Message | EventKind::EditedMessage => {
                let message = message_of(update.raw()).unwrap_or_default();
                let mut buffer = self.buffer.borrow_mut();
                let apart = Bundle::write(message, update.users(), update.chats(), &mut buffer);
                if apart {
                    let bundle = Value::String(lua.create_string(&*buffer)?);
                    let peers = self.shared_peers(lua, update, &mut buffer)?;
                    return Ok((prelude.make_message.clone(), bundle, how, peers));
                }
                let place = Value::LightUserData(bundle_place(&self.buffer));
                Ok((prelude.make_update_message.clone(), place, how, Value::Nil))
            }
            kind => {
                let raw = crate::tl::decode_object(update.raw()).map_err(mlua::Error::external)?;
                let raw = object_to_lua(lua, &raw)?;
                let mut buffer = self.buffer.borrow_mut();
                Bundle::write_peers(update.users(), update.chats(), &mut buffer);
                let peers = Value::String(lua.create_string(&*buffer)?);
                let make =
                    if kind == EventKind::CallbackQuery { &prelude.make_callback } else { &prelude.make_deleted };
                Ok((make.clone(), raw, how, peers))
            }
        }
    }

    /// Users and chats of a container with many of them: one string for all of its updates. The update that is remembered
    /// keeps the container's bytes where they are, so the same place means the same container.
    fn shared_peers(&self, lua: &Lua, update: &Update, buffer: &mut Vec<u8>) -> mlua::Result<Value> {
        let mut last = self.last_peers.borrow_mut();
        if let Some((other, string)) = &*last
            && std::ptr::eq(other.users(), update.users())
            && std::ptr::eq(other.chats(), update.chats())
        {
            return Ok(Value::String(string.clone()));
        }
        Bundle::write_peers(update.users(), update.chats(), buffer);
        let string = lua.create_string(&*buffer)?;
        *last = Some((update.clone(), string.clone()));
        Ok(Value::String(string))
    }
}

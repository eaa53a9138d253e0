//! What a script has registered, compiled so that fifty handlers cost what one does.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use mlua::Function;
use regex::RegexSet;

use super::events::{EventKind, View};
use super::filters::{Filter, Node, name_after, with_lower};
use super::outside::Held;
use super::profile::{Profile, Profiles};

/// Handlers that a script may have; each update may ask all of them.
const MOST: usize = 10_000;
/// Filters that these may be made of, in all.
const MOST_FILTERS: usize = 100_000;

/// With fewer expressions than this, one by one is faster than the set.
const SET_FROM: usize = 4;

/// One `tg.on_…`.
pub(super) struct Handler {
    pub id: u64,
    pub event: EventKind,
    pub group: i64,
    pub filter: Option<Rc<Node>>,
    pub function: Function,
    /// `file:line` of the registration.
    pub place: String,
    /// Of how many filters its own is made.
    pub filters: usize,
    pub profile: Arc<Profile>,
    _held: Held,
    removed: Cell<bool>,
}

impl Handler {
    pub fn is_removed(&self) -> bool {
        self.removed.get()
    }
}

/// A command with a description, as a help text shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandInfo {
    pub name: String,
    pub description: Option<String>,
}

/// All handlers of a version.
#[derive(Default)]
pub(super) struct Handlers {
    profiles: Arc<Profiles>,
    all: RefCell<Vec<Rc<Handler>>>,
    next_id: Cell<u64>,
    plans: RefCell<[Option<Rc<Plan>>; EventKind::ALL.len()]>,
    /// Expressions, with the flags in them, and what they take.
    patterns: RefCell<Vec<(regex::Regex, Rc<Held>)>>,
    set: RefCell<Option<Rc<RegexSet>>>,
    commands: RefCell<Vec<(CommandInfo, Held)>>,
    filters: Cell<usize>,
}

/// What a script registers.
pub(super) struct Registration {
    pub event: EventKind,
    pub group: i64,
    pub filter: Option<Filter>,
    pub function: Function,
    pub place: String,
    pub held: Held,
}

impl Handlers {
    /// Whose figures are kept in `profiles`.
    pub fn new(profiles: Arc<Profiles>) -> Handlers {
        Handlers { profiles, ..Handlers::default() }
    }

    /// The handler's number; the error is for the script.
    pub fn add(&self, registration: Registration) -> Result<u64, String> {
        let Registration { event, group, filter, function, place, held } = registration;
        let filters = filter.as_ref().map_or(0, |filter| filter.size as usize);
        if self.count() >= MOST {
            return Err(format!(
                "the script has {MOST} handlers already; one that is no longer needed goes by :remove()"
            ));
        }
        if self.filters.get() + filters > MOST_FILTERS {
            return Err(format!("the filters of the script's handlers are made of more than {MOST_FILTERS} filters"));
        }
        self.filters.set(self.filters.get() + filters);
        let id = self.next_id.get() + 1;
        self.next_id.set(id);
        let filter = filter.map(|filter| filter.node);
        let profile = Arc::new(Profile::new(event.name(), place.clone()));
        self.profiles.add(profile.clone());
        let removed = Cell::new(false);
        let handler = Handler { id, event, group, filter, function, place, filters, profile, _held: held, removed };
        self.all.borrow_mut().push(Rc::new(handler));
        self.forget_plans();
        Ok(id)
    }

    /// False where it was removed before. Takes effect at once, for the update at hand too.
    pub fn remove(&self, id: u64) -> bool {
        let mut all = self.all.borrow_mut();
        let Some(at) = all.iter().position(|handler| handler.id == id) else { return false };
        let handler = all.remove(at);
        handler.removed.set(true);
        self.profiles.remove(&handler.profile);
        self.filters.set(self.filters.get() - handler.filters);
        drop(all);
        self.forget_plans();
        true
    }

    pub fn count(&self) -> usize {
        self.all.borrow().len()
    }

    pub fn add_command(&self, name: String, description: Option<String>, held: Held) {
        let mut commands = self.commands.borrow_mut();
        commands.retain(|(command, _)| command.name != name);
        commands.push((CommandInfo { name, description }, held));
    }

    pub fn commands(&self) -> Vec<CommandInfo> {
        self.commands.borrow().iter().map(|(command, _)| command.clone()).collect()
    }

    /// The index of an expression that was made before.
    pub fn known_pattern(&self, expression: &str) -> Option<u32> {
        let at = self.patterns.borrow().iter().position(|(regex, _)| regex.as_str() == expression)?;
        Some(at as u32)
    }

    /// Remembers an expression; its index.
    pub fn add_pattern(&self, regex: regex::Regex, held: Held) -> u32 {
        let mut patterns = self.patterns.borrow_mut();
        patterns.push((regex, Rc::new(held)));
        *self.set.borrow_mut() = None;
        (patterns.len() - 1) as u32
    }

    pub fn pattern(&self, index: u32) -> Option<regex::Regex> {
        self.patterns.borrow().get(index as usize).map(|(regex, _)| regex.clone())
    }

    /// All expressions at once; `None` where they are few, or too big together.
    pub fn pattern_set(&self) -> Option<Rc<RegexSet>> {
        let patterns = self.patterns.borrow();
        if patterns.len() < SET_FROM {
            return None;
        }
        let mut set = self.set.borrow_mut();
        if set.is_none() {
            *set = RegexSet::new(patterns.iter().map(|(regex, _)| regex.as_str())).ok().map(Rc::new);
        }
        set.clone()
    }

    /// The handlers of an event that is no update: `start`, `error` …
    pub fn of(&self, event: EventKind) -> Vec<Rc<Handler>> {
        let mut found: Vec<_> = self.all.borrow().iter().filter(|handler| handler.event == event).cloned().collect();
        found.sort_by_key(|handler| handler.group);
        found
    }

    /// Who wants the updates of this event, those who want every update among them.
    pub fn plan(&self, event: EventKind) -> Rc<Plan> {
        let mut plans = self.plans.borrow_mut();
        let plan = plans[event.index()].get_or_insert_with(|| {
            let wants = |handler: &&Rc<Handler>| handler.event == event || handler.event == EventKind::RawUpdate;
            Rc::new(Plan::new(self.all.borrow().iter().filter(wants).cloned().collect()))
        });
        plan.clone()
    }

    fn forget_plans(&self) {
        *self.plans.borrow_mut() = Default::default();
    }

    /// Lets go of everything that belongs to the Lua state.
    pub fn clear(&self) {
        self.all.borrow_mut().clear();
        self.filters.set(0);
        self.forget_plans();
    }
}

/// The handlers of one event, by group.
#[derive(Default)]
pub(super) struct Plan {
    pub groups: Vec<Group>,
}

/// Handlers of one group, of which the first that matches runs.
pub(super) struct Group {
    pub handlers: Vec<Rc<Handler>>,
    /// Those that may match any text, by index.
    always: Vec<u32>,
    /// Those that need a command, by its name in lower case.
    by_command: HashMap<String, Vec<u32>>,
    prefixes: Vec<String>,
}

impl Plan {
    fn new(mut handlers: Vec<Rc<Handler>>) -> Plan {
        handlers.sort_by_key(|handler| handler.group);
        let mut groups: Vec<Group> = Vec::new();
        for handler in handlers {
            match groups.last_mut() {
                Some(group) if group.handlers[0].group == handler.group => group.add(handler),
                _ => {
                    let mut group = Group {
                        handlers: Vec::new(),
                        always: Vec::new(),
                        by_command: HashMap::new(),
                        prefixes: Vec::new(),
                    };
                    group.add(handler);
                    groups.push(group);
                }
            }
        }
        Plan { groups }
    }
}

impl Group {
    fn add(&mut self, handler: Rc<Handler>) {
        let index = self.handlers.len() as u32;
        match handler.filter.as_ref().and_then(|filter| filter.required_commands()) {
            None => self.always.push(index),
            Some(commands) => {
                for command in commands {
                    for name in &command.names {
                        let list = self.by_command.entry(name.to_lowercase()).or_default();
                        if list.last() != Some(&index) {
                            list.push(index);
                        }
                    }
                    for prefix in &command.prefixes {
                        if !self.prefixes.contains(prefix) {
                            self.prefixes.push(prefix.clone());
                        }
                    }
                }
            }
        }
        self.handlers.push(handler);
    }

    /// The handlers that may match, from index `from` on, in order. `visit` returns false to end it.
    pub fn candidates<'g>(&'g self, view: &View, from: usize, mut visit: impl FnMut(usize, &'g Rc<Handler>) -> bool) {
        let mut lists: [&[u32]; 5] = [&[]; 5];
        lists[0] = &self.always;
        let mut used = 1;
        if let Some(text) = view.text()
            && !self.by_command.is_empty()
        {
            for prefix in &self.prefixes {
                let Some((name, _)) = name_after(text, prefix) else { continue };
                let Some(list) = with_lower(name, |lower| self.by_command.get(lower)) else { continue };
                if used == lists.len() {
                    // More prefixes at once than anyone writes: look at every handler.
                    self.handlers.iter().enumerate().skip(from).all(|(i, handler)| visit(i, handler));
                    return;
                }
                lists[used] = list;
                used += 1;
            }
        }
        for list in &mut lists[..used] {
            let start = list.partition_point(|index| (*index as usize) < from);
            *list = &list[start..];
        }
        loop {
            let Some(next) = lists[..used].iter().filter_map(|list| list.first().copied()).min() else { return };
            for list in &mut lists[..used] {
                if list.first() == Some(&next) {
                    *list = &list[1..];
                }
            }
            let index = next as usize;
            if !visit(index, &self.handlers[index]) {
                return;
            }
        }
    }
}

//! Natives of `prelude/re.lua`.

use std::rc::Rc;
use std::time::Duration;

use mlua::{IntoLuaMulti, Lua, LuaString, MultiValue, Table, Value};
use regex_automata::util::captures::Captures;
use regex_automata::util::interpolate;
use regex_automata::util::iter::Searcher;
use regex_automata::{Input, Match, MatchError};

use super::{Answer, Natives};
use crate::lua::bounded::Budget;
use crate::lua::expressions::{Expression, Expressions, Flags, Means};
use crate::lua::runtime::Runtime;

pub(super) fn install(natives: &Natives) -> mlua::Result<()> {
    let kept = Rc::new(Expressions::default());
    let expressions = kept.clone();
    natives.add("re_compile", move |lua, runtime, (pattern, flags): (LuaString, LuaString)| -> Answer<u8> {
        let flags = Flags::parse(&flags.to_string_lossy());
        Ok(flags.and_then(|flags| Work::new(lua, runtime, &expressions, &pattern, flags.0).map(|_| flags.0)))
    })?;
    let expressions = kept.clone();
    // The next match from an offset on: its captures, where it begins, and where it ends. `last` is where the one before it
    // ended: an empty match is not found there again.
    type Next = (LuaString, u8, LuaString, usize, Option<usize>, bool);
    natives.add("re_next", move |lua, runtime, (pattern, flags, text, from, last, captures): Next| {
        let text = text.as_bytes();
        let work = Work::new(lua, runtime, &expressions, &pattern, flags);
        several(lua, work.and_then(|work| work.next(lua, &text, from, last, captures)))
    })?;
    let expressions = kept.clone();
    type Replace = (LuaString, u8, LuaString, LuaString, Option<u64>);
    natives.add("re_replace", move |lua, runtime, (pattern, flags, text, template, count): Replace| {
        let work = Work::new(lua, runtime, &expressions, &pattern, flags);
        let result = work.and_then(|work| {
            let room = super::room(lua, runtime);
            let (text, count) =
                work.replace(&text.as_bytes(), &template.as_bytes(), count.unwrap_or(u64::MAX), room)?;
            Ok((lua.create_string(text).map_err(raised)?, count))
        });
        several(lua, result)
    })?;
    let expressions = kept.clone();
    type Split = (LuaString, u8, LuaString, Option<u64>);
    natives.add("re_split", move |lua, runtime, (pattern, flags, text, count): Split| -> Answer<Table> {
        let work = Work::new(lua, runtime, &expressions, &pattern, flags);
        Ok(work.and_then(|work| work.split(lua, &text.as_bytes(), count.unwrap_or(u64::MAX))))
    })?;
    natives.add("re_escape", |_, runtime, text: LuaString| -> Answer<String> {
        runtime.budget.steps().charge(text.as_bytes().len() as u64)?;
        Ok(match text.to_str() {
            Ok(text) => Ok(regex::escape(&text)),
            Err(_) => Err("re.escape: a regular expression must be UTF-8".into()),
        })
    })
}

/// An answer of more than one value: these, or nil and a message.
fn several(lua: &Lua, result: Result<impl IntoLuaMulti, String>) -> mlua::Result<MultiValue> {
    match result {
        Ok(values) => values.into_lua_multi(lua),
        Err(problem) => (Value::Nil, problem).into_lua_multi(lua),
    }
}

/// The next match as the searcher finds it: what is empty is not found twice.
fn advance(
    searcher: &mut Searcher,
    mut find: impl FnMut(&Input) -> Result<Option<Match>, String>,
) -> Result<Option<Match>, String> {
    let mut problem = None;
    // The finder's own errors are of automata that this is none of.
    let found = searcher.advance(|input| {
        Ok::<_, MatchError>(find(input).unwrap_or_else(|failed| {
            problem = Some(failed);
            None
        }))
    });
    problem.map_or(Ok(found), Err)
}

/// What Lua said, for the script.
fn raised(error: mlua::Error) -> String {
    match error {
        mlua::Error::RuntimeError(message) => message,
        mlua::Error::MemoryError(_) => "not enough memory".into(),
        other => other.to_string(),
    }
}

/// An expression, and what may be spent on it.
struct Work {
    expression: Rc<Expression>,
    budget: Budget,
    limit: Duration,
}

impl Work {
    fn new(lua: &Lua, runtime: &Runtime, kept: &Expressions, pattern: &LuaString, flags: u8) -> Result<Work, String> {
        let budget = runtime.budget.steps();
        let means = Means { budget: &budget, outside: &runtime.outside, lua };
        let expression = kept.get(&pattern.as_bytes(), Flags(flags), &means)?;
        Ok(Work { expression, budget, limit: runtime.budget.limit() })
    }

    /// One search from `input`'s start on; what comes before is looked at by `^` and `\b` only.
    fn find(&self, input: &Input) -> Result<Option<Match>, String> {
        let length = input.end().saturating_sub(input.start());
        self.expression.search(length, (&self.budget, self.limit), |regex| regex.search(input))
    }

    fn captures(&self, input: &Input, captures: &mut Captures) -> Result<Option<Match>, String> {
        let length = input.end().saturating_sub(input.start());
        self.expression.search(length, (&self.budget, self.limit), |regex| regex.search_captures(input, captures))?;
        Ok(captures.get_match())
    }

    fn next(
        &self,
        lua: &Lua,
        text: &[u8],
        from: usize,
        last: Option<usize>,
        with_captures: bool,
    ) -> Result<(Value, Option<usize>, Option<usize>), String> {
        let nothing = (Value::Nil, None, None);
        if from > text.len() {
            return Ok(nothing);
        }
        let mut captures = self.expression.regex.create_captures();
        let mut input = Input::new(text).range(from..);
        let mut search = |input: &Input| {
            if with_captures { self.captures(input, &mut captures) } else { self.find(input) }
        };
        let mut found = search(&input)?;
        if found.is_some_and(|found| found.is_empty() && Some(found.end()) == last) {
            if from >= text.len() {
                return Ok(nothing);
            }
            input.set_start(from + 1);
            found = search(&input)?;
        }
        let Some(found) = found else { return Ok(nothing) };
        let value =
            if with_captures { self.table(lua, text, &captures).map_err(raised)? } else { Value::Boolean(true) };
        Ok((value, Some(found.start()), Some(found.end())))
    }

    /// The whole match at 0, groups by number and by name.
    fn table(&self, lua: &Lua, text: &[u8], captures: &Captures) -> mlua::Result<Value> {
        let table = lua.create_table()?;
        for (index, name) in self.expression.group_names().enumerate() {
            let Some(span) = captures.get_group(index) else { continue };
            let value = lua.create_string(&text[span.range()])?;
            if let Some(name) = name {
                table.raw_set(name, &value)?;
            }
            table.raw_set(index, value)?;
        }
        Ok(Value::Table(table))
    }

    fn replace(&self, text: &[u8], template: &[u8], count: u64, room: usize) -> Result<(Vec<u8>, u64), String> {
        self.check_template(template)?;
        let mut captures = self.expression.regex.create_captures();
        let mut out = Vec::new();
        let (mut done, mut at, mut is_full) = (0, 0, false);
        let mut searcher = Searcher::new(Input::new(text));
        while done < count {
            let Some(found) = advance(&mut searcher, |input| self.captures(input, &mut captures))? else { break };
            out.extend(&text[at..found.start()]);
            let append = |group: usize, out: &mut Vec<u8>| {
                let span = captures.get_group(group).map_or(0..0, |span| span.range());
                // One template may ask for a long group very often.
                is_full |= out.len() + span.len() > room;
                if !is_full {
                    out.extend(&text[span]);
                }
            };
            let before = out.len();
            interpolate::bytes(template, append, |name| self.group(name), &mut out);
            if is_full || out.len() > room {
                return Err("not enough memory for the text".into());
            }
            let steps = 50 + (out.len() - before + template.len()) as u64;
            self.budget.charge(steps).map_err(raised)?;
            at = found.end();
            done += 1;
        }
        out.extend(&text[at..]);
        Ok((out, done))
    }

    fn split(&self, lua: &Lua, text: &[u8], count: u64) -> Result<Table, String> {
        let parts = lua.create_table().map_err(raised)?;
        let push = |part: &[u8]| {
            self.budget.charge(150)?;
            parts.raw_push(lua.create_string(part)?)
        };
        let (mut at, mut made) = (0, 1);
        let mut searcher = Searcher::new(Input::new(text));
        while made < count {
            let Some(found) = advance(&mut searcher, |input| self.find(input))? else { break };
            // Nothing before the first character, or behind the last, parts nothing.
            if found.is_empty() && (found.start() == 0 || found.start() == text.len()) {
                continue;
            }
            push(&text[at..found.start()]).map_err(raised)?;
            at = found.end();
            made += 1;
        }
        push(&text[at..]).map_err(raised)?;
        Ok(parts)
    }

    fn group(&self, name: &str) -> Option<usize> {
        self.expression.regex.group_info().to_index(regex_automata::PatternID::ZERO, name)
    }

    /// A group that is not there would vanish without a word.
    fn check_template(&self, template: &[u8]) -> Result<(), String> {
        let groups = self.expression.regex.captures_len();
        let missing = std::cell::RefCell::new(None);
        let append = |group: usize, _: &mut Vec<u8>| {
            if group >= groups {
                missing.borrow_mut().get_or_insert(group.to_string());
            }
        };
        let by_name = |name: &str| {
            let found = self.group(name);
            if found.is_none() {
                missing.borrow_mut().get_or_insert(name.to_owned());
            }
            found
        };
        interpolate::bytes(template, append, by_name, &mut Vec::new());
        match missing.into_inner() {
            None => Ok(()),
            Some(name) => Err(format!(
                "the regular expression has no group `{name}` for ${name}; ${{1}}x parts a group from what follows, $$ is a $"
            )),
        }
    }
}

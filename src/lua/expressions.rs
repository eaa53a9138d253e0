//! Regular expressions for scripts: compiled once, kept within a bound, and searched within the script's CPU budget.
//!
//! A search is linear in the text, but by a factor that grows with the expression, and it cannot be interrupted. So the
//! factor is known beforehand ([`weight`]): what could take several times the script's limit is refused, and what takes
//! noticeable time is charged by the clock.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use mlua::Lua;
use regex_automata::meta::{self, Regex};
use regex_automata::util::syntax;
use regex_syntax::hir::{Class, Hir, HirKind};

use super::bounded::{Budget, CPU_LIMIT};
use super::budget::cpu_time;
use super::outside::{Held, Outside};

/// Letters that change how an expression is read, as `filters.regex` has them; `u` is how it is read anyway.
const FLAGS: &str = "imsxu";

/// Bytes of an expression's text.
const MAX_PATTERN: usize = 16 << 10;
/// Bytes of one compiled expression, and of the tables that a search of it makes as it goes.
const MAX_SIZE: usize = 1 << 20;
const MAX_TABLES: usize = 256 << 10;
/// Expressions that are kept compiled, and bytes of them with their tables; more are compiled again when they are used.
const MAX_KEPT: usize = 64;
const MAX_KEPT_SIZE: usize = 16 << 20;
/// Nanoseconds that a byte takes for each place that a search is at: at most, on expressions and texts made for it, with a
/// reserve (`what_a_search_costs_at_most`).
const STATE: u64 = 6;
/// A search that could take longer than so many times the limit is not begun.
const PATIENCE: u64 = 4;
/// A search that cannot take more nanoseconds is charged by the length of its text; a longer one by the clock.
const BRIEF: u64 = 20_000;

/// A compiled expression.
pub(super) struct Expression {
    pub regex: Regex,
    /// Nanoseconds that a search may take for each byte of the text.
    weight: u64,
    /// Bytes, with what searches come to hold.
    size: usize,
}

/// How an expression is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Flags(pub u8);

impl Flags {
    pub fn parse(letters: &str) -> Result<Flags, String> {
        let mut flags = 0;
        for letter in letters.chars() {
            match FLAGS.find(letter) {
                Some(at) => flags |= 1 << at,
                None => {
                    return Err(format!("{letter:?} is no flag of a regular expression; there are i, m, s, u and x"));
                }
            }
        }
        Ok(Flags(flags))
    }

    fn has(self, letter: char) -> bool {
        FLAGS.find(letter).is_some_and(|at| self.0 & 1 << at != 0)
    }
}

impl Expression {
    fn new(pattern: &[u8], flags: Flags) -> Result<Expression, String> {
        let pattern = std::str::from_utf8(pattern).map_err(|_| "a regular expression must be UTF-8".to_owned())?;
        if pattern.len() > MAX_PATTERN {
            return Err(format!("a regular expression has at most {MAX_PATTERN} bytes"));
        }
        let config = syntax::Config::new()
            .case_insensitive(flags.has('i'))
            .multi_line(flags.has('m'))
            .dot_matches_new_line(flags.has('s'))
            .ignore_whitespace(flags.has('x'))
            .utf8(false);
        let parsed = syntax::parse_with(pattern, &config).map_err(|error| error.to_string())?;
        let config = meta::Config::new()
            .utf8_empty(true)
            .nfa_size_limit(Some(MAX_SIZE))
            .onepass_size_limit(Some(MAX_TABLES))
            .hybrid_cache_capacity(MAX_TABLES);
        let regex = meta::Builder::new()
            .configure(config)
            .build_from_hir(&parsed)
            .map_err(|_| "the regular expression becomes too large; repeat less in it".to_owned())?;
        let groups = regex.captures_len() as u64;
        let weight = positions(&parsed).saturating_mul(STATE).saturating_mul(8 + groups) / 8;
        let size = regex.memory_usage();
        // There and back.
        let tables = 2 * (8 * size).min(MAX_TABLES);
        Ok(Expression { weight, size: size + tables, regex })
    }

    /// Searches `length` bytes, if that cannot take too long.
    pub fn search<T>(
        &self,
        length: usize,
        (budget, limit): (&Budget, Duration),
        search: impl FnOnce(&Regex) -> T,
    ) -> Result<T, String> {
        let worst = (length as u64).saturating_mul(self.weight);
        if worst < BRIEF {
            charge(budget, 100 + length as u64)?;
            return Ok(search(&self.regex));
        }
        if worst > PATIENCE * limit.as_nanos() as u64 {
            return Err(format!(
                "a text of {length} bytes is too long for this regular expression, which could take {:.1} s",
                worst as f64 / 1e9
            ));
        }
        charge(budget, 0)?;
        let since = cpu_time();
        let found = search(&self.regex);
        charge(budget, cpu_time().saturating_sub(since).as_nanos() as u64 + 500)?;
        Ok(found)
    }

    pub fn group_names(&self) -> impl Iterator<Item = Option<&str>> {
        self.regex.group_info().pattern_names(regex_automata::PatternID::ZERO)
    }
}

/// How many places of the expression a search may be at once: what a byte of the text costs in the worst case.
fn positions(hir: &Hir) -> u64 {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => 1,
        HirKind::Literal(literal) => literal.0.len() as u64,
        HirKind::Class(Class::Bytes(_)) => 1,
        // Up to four bytes of a character, with what chooses between them.
        HirKind::Class(Class::Unicode(class)) => {
            if class.is_ascii() {
                1
            } else {
                6
            }
        }
        HirKind::Repetition(repetition) => {
            let times = u64::from(repetition.max.unwrap_or(repetition.min + 1).max(1));
            times.saturating_mul(positions(&repetition.sub).saturating_add(1))
        }
        HirKind::Capture(capture) => positions(&capture.sub).saturating_add(2),
        HirKind::Concat(parts) => parts.iter().map(positions).fold(0, u64::saturating_add),
        HirKind::Alternation(parts) => parts.iter().map(positions).fold(1, u64::saturating_add),
    }
}

fn charge(budget: &Budget, steps: u64) -> Result<(), String> {
    budget.charge(steps).map_err(|_| CPU_LIMIT.to_owned())
}

/// What compiling may spend.
pub(super) struct Means<'m> {
    pub budget: &'m Budget,
    pub outside: &'m Outside,
    pub lua: &'m Lua,
}

/// The expressions that one script has compiled.
#[derive(Default)]
pub(super) struct Expressions(RefCell<Kept>);

#[derive(Default)]
struct Kept {
    by_flags: HashMap<Flags, HashMap<Box<[u8]>, Entry>>,
    count: usize,
    size: usize,
    uses: u64,
}

struct Entry {
    expression: Rc<Expression>,
    last_use: u64,
    _held: Held,
}

impl Expressions {
    /// The expression, compiled now if it is not kept. An error shows where in the pattern it is.
    pub fn get(&self, pattern: &[u8], flags: Flags, means: &Means) -> Result<Rc<Expression>, String> {
        let kept = &mut *self.0.borrow_mut();
        kept.uses += 1;
        if let Some(entry) = kept.by_flags.get_mut(&flags).and_then(|kept| kept.get_mut(pattern)) {
            entry.last_use = kept.uses;
            return Ok(entry.expression.clone());
        }
        let since = cpu_time();
        let expression = Expression::new(pattern, flags);
        charge(means.budget, cpu_time().saturating_sub(since).as_nanos() as u64)?;
        let expression = Rc::new(expression?);
        while kept.count >= MAX_KEPT || (kept.count > 0 && kept.size + expression.size > MAX_KEPT_SIZE) {
            kept.forget_one();
        }
        let mut held = means.outside.hold(means.lua, expression.size);
        while held.is_err() && kept.count > 0 {
            kept.forget_one();
            held = means.outside.hold(means.lua, expression.size);
        }
        let held = held?;
        kept.count += 1;
        kept.size += expression.size;
        let entry = Entry { expression: expression.clone(), last_use: kept.uses, _held: held };
        kept.by_flags.entry(flags).or_default().insert(pattern.into(), entry);
        Ok(expression)
    }
}

impl Kept {
    /// Lets go of the one that was not used for the longest time.
    fn forget_one(&mut self) {
        let all =
            self.by_flags.iter().flat_map(|(flags, kept)| kept.iter().map(move |(pattern, e)| (flags, pattern, e)));
        let oldest = all.min_by_key(|(.., entry)| entry.last_use);
        let Some((flags, pattern)) = oldest.map(|(flags, pattern, _)| (*flags, pattern.clone())) else { return };
        if let Some(entry) = self.by_flags.get_mut(&flags).and_then(|kept| kept.remove(&pattern)) {
            self.count -= 1;
            self.size -= entry.expression.size;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(1);

    #[test]
    fn a_pattern_that_is_wrong_shows_where() {
        fn check(pattern: &str, expected: &str) {
            let problem = Expression::new(pattern.as_bytes(), Flags::default()).err().unwrap();
            assert!(problem.contains(expected), "{problem}");
        }
        check("a(b", "    a(b\n     ^\nerror: unclosed group");
        check("x{2,1}", "invalid repetition count range");
        check("(?=a)", "look-around");
        check(r"(a)\1", "backreferences are not supported");
        check(r"\w{1000}{1000}", "too large");
        check(&"a".repeat(MAX_PATTERN + 1), "at most 16384 bytes");
        assert!(Flags::parse("iq").unwrap_err().contains("'q' is no flag"));
    }

    #[test]
    fn a_search_that_could_take_too_long_is_refused() {
        let expressions = Expressions::default();
        let (lua, outside, budget) = (Lua::new(), Outside::new(1 << 30), Budget::new(1 << 40));
        let means = Means { budget: &budget, outside: &outside, lua: &lua };
        let heavy = expressions.get(b"(?:[a-z]{1,30} ?){1,10}$", Flags::default(), &means).unwrap();
        let problem = heavy.search(64 << 20, (&budget, LIMIT), |_| ()).unwrap_err();
        assert!(problem.contains("67108864 bytes is too long"), "{problem}");
        let light = expressions.get(b"abc", Flags::default(), &means).unwrap();
        assert_eq!(light.search(8 << 20, (&budget, LIMIT), |_| 7), Ok(7));
    }

    #[test]
    fn searches_and_compilations_are_charged() {
        let expressions = Expressions::default();
        let (lua, outside, budget) = (Lua::new(), Outside::new(1 << 30), Budget::new(1 << 40));
        let means = Means { budget: &budget, outside: &outside, lua: &lua };
        let expression = expressions.get(br"\w+@\w+", Flags::default(), &means).unwrap();
        assert!(budget.spent() > 10_000, "{}", budget.spent());
        let before = budget.spent();
        let text = "x".repeat(1 << 20);
        let found = expression.search(text.len(), (&budget, LIMIT), |regex| regex.is_match(&text)).unwrap();
        assert!(!found && budget.spent() > before + 20_000, "{}", budget.spent() - before);
    }

    #[test]
    fn what_is_kept_is_bounded_and_the_last_used_stay() {
        let expressions = Expressions::default();
        let (lua, outside, budget) = (Lua::new(), Outside::new(1 << 30), Budget::new(1 << 50));
        let means = Means { budget: &budget, outside: &outside, lua: &lua };
        let first = expressions.get(b"first", Flags::default(), &means).unwrap();
        for n in 0..500 {
            expressions.get(format!("number {n}").as_bytes(), Flags::default(), &means).unwrap();
            assert!(Rc::ptr_eq(&first, &expressions.get(b"first", Flags::default(), &means).unwrap()));
        }
        assert_eq!(expressions.0.borrow().count, MAX_KEPT);
        for n in 0..40 {
            expressions.get(format!("[a-z]{{{}}}", 9000 + n).as_bytes(), Flags::default(), &means).unwrap();
        }
        let kept = expressions.0.borrow();
        assert!(kept.size <= MAX_KEPT_SIZE && kept.count < MAX_KEPT, "{} in {} bytes", kept.count, kept.size);
        assert_eq!(kept.by_flags.values().map(HashMap::len).sum::<usize>(), kept.count);
        assert_eq!(outside.held(), kept.size);
    }

    /// What `STATE` is from: expressions that keep many states alive at once, on texts that fit them.
    #[test]
    #[ignore = "measures: run it alone, optimised, with --nocapture"]
    fn what_a_search_costs_at_most() {
        let mut worst: f64 = 0.0;
        for pattern in [
            r"(?:a?){200}[cd]",
            r"(a|aa|aaa|aaaa|b)*[cd]",
            r"(?:.*.*.*.*)*[cd]",
            r"(\w?\w?\w?\w?\w?\w?)*[!?]",
            r"(?s).*a.{300}[cd]",
            r"[ab]*a[ab]{200}[cd]",
            r"[ab]*a[ab]{2000}[cd]",
            r"((a?)(b?)(a?)(b?)(a?)(a?)(a?)(a?)){30}[cd]",
            r"(?i)(\w+\s*)+[ß?]$",
            r"\b(\w{1,5}\b\W)*\d",
            r"\w*a\w{12}[!?]",
            r"(?:x?){3000}[cd]|[ab]*a[ab]{20}[cd]",
            r"((((((((((a|b)*)*)*)*)*)*)*)*)*)*[cd]",
            r"(a|b|ab|ba|aab|abb|(a|b)(a|b))*[cd]",
        ] {
            let Ok(expression) = Expression::new(pattern.as_bytes(), Flags::default()) else {
                println!("{pattern} is too large");
                continue;
            };
            for alphabet in [&["a"][..], &["a", "b"], &["a", "b", " "], &["a", "é", "b", " "]] {
                let mut number = 1u64;
                let mut text = String::new();
                while text.len() < 50_000 {
                    number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    text.push_str(alphabet[(number >> 40) as usize % alphabet.len()]);
                }
                for captures in [false, true] {
                    let since = cpu_time();
                    if captures {
                        let mut found = expression.regex.create_captures();
                        expression.regex.captures(&text, &mut found);
                    } else {
                        expression.regex.is_match(&text);
                    }
                    let took = (cpu_time() - since).as_nanos() as f64 / text.len() as f64;
                    let share = took / expression.weight as f64;
                    worst = worst.max(share);
                    let of = alphabet.concat();
                    println!("{pattern:45} {of:6} {took:9.1} ns/byte, {share:.3} of {}", expression.weight);
                }
            }
        }
        assert!(worst < 1.0);
    }
}

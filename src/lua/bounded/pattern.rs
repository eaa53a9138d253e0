//! Lua's patterns, on bytes, with fuel. The language and its errors are those of the manual
//! (<https://www.lua.org/manual/5.4/manual.html#6.4.1>); what Lua's matcher reads behind the end of a string, a zero,
//! is read here too, so that odd patterns mean what they mean in Lua.

use std::ops::Range;

use super::Count;

/// What Lua allows in one pattern.
const MAX_CAPTURES: usize = 32;
/// How deep items may nest; Lua's number, and a bound of this matcher's stack.
const MAX_DEPTH: u32 = 200;

const UNFINISHED: usize = usize::MAX;
const POSITION: usize = usize::MAX - 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PatternError {
    /// Not an error of the pattern: the fuel is used up.
    OutOfFuel,
    EndsWithPercent,
    MissingBracket,
    MissingBalanceArguments,
    MissingFrontierSet,
    /// With the index as it is written, 0 to 9.
    InvalidCaptureIndex(u8),
    InvalidCapture,
    UnfinishedCapture,
    TooManyCaptures,
    TooComplex,
    /// A fault of the matcher.
    Panicked,
}

/// The end of a match, or none.
type Found = Result<Option<usize>, PatternError>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Capture {
    Bytes(Range<usize>),
    /// Of `()`: counted from 1.
    Position(usize),
}

#[derive(Clone, Copy)]
struct Slot {
    start: usize,
    end: usize,
}

pub(super) struct Matcher<'a> {
    subject: &'a [u8],
    pattern: &'a [u8],
    anchored: bool,
    /// The byte each match begins with, if the pattern says so: other places need not be tried.
    first: Option<u8>,
    count: &'a Count,
    /// Steps that are leased from the count and left.
    fuel: u64,
    depth: u32,
    level: usize,
    slots: [Slot; MAX_CAPTURES],
}

impl<'a> Matcher<'a> {
    /// `^` at the beginning is an anchor, as in `find`, `match` and `gsub`.
    pub fn new(subject: &'a [u8], pattern: &'a [u8], count: &'a Count) -> Matcher<'a> {
        match pattern.strip_prefix(b"^") {
            Some(rest) => Matcher::with(subject, rest, true, count),
            None => Matcher::with(subject, pattern, false, count),
        }
    }

    /// `^` is a byte like others, as in `gmatch`.
    pub fn without_anchor(subject: &'a [u8], pattern: &'a [u8], count: &'a Count) -> Matcher<'a> {
        Matcher::with(subject, pattern, false, count)
    }

    fn with(subject: &'a [u8], pattern: &'a [u8], anchored: bool, count: &'a Count) -> Matcher<'a> {
        let first = match pattern {
            _ if anchored => None,
            [b'(' | b')' | b'%' | b'[' | b'.', ..] | [b'$'] | [_, b'*' | b'?' | b'-', ..] => None,
            [byte, ..] => Some(*byte),
            [] => None,
        };
        let slots = [Slot { start: 0, end: 0 }; MAX_CAPTURES];
        Matcher { subject, pattern, anchored, first, count, fuel: 0, depth: MAX_DEPTH, level: 0, slots }
    }

    pub fn subject(&self) -> &'a [u8] {
        self.subject
    }

    pub fn is_anchored(&self) -> bool {
        self.anchored
    }

    /// The first match that begins at `from` or later and does not end at `last_end`, where an earlier one ended.
    pub fn search(&mut self, from: usize, last_end: Option<usize>) -> Result<Option<Range<usize>>, PatternError> {
        let mut at = from;
        while at <= self.subject.len() {
            if let Some(first) = self.first {
                let rest = &self.subject[at..];
                let skipped = memchr::memchr(first, rest);
                self.burn(1 + skipped.unwrap_or(rest.len()) as u64 / 16)?;
                match skipped {
                    Some(skipped) => at += skipped,
                    None => return Ok(None),
                }
            }
            self.level = 0;
            self.depth = MAX_DEPTH;
            if let Some(end) = self.nested(at, 0)?
                && Some(end) != last_end
            {
                return Ok(Some(at..end));
            }
            if self.anchored {
                break;
            }
            at += 1;
        }
        Ok(None)
    }

    /// How many captures the pattern made in the match just found.
    pub fn captures(&self) -> usize {
        self.level
    }

    /// A capture of the match just found, counted from 0; of a pattern without any, 0 is the whole match.
    pub fn capture(&self, index: usize, whole: Range<usize>) -> Result<Capture, PatternError> {
        if index >= self.level {
            return if index == 0 {
                Ok(Capture::Bytes(whole))
            } else {
                Err(PatternError::InvalidCaptureIndex(index as u8 + 1))
            };
        }
        let Slot { start, end } = self.slots[index];
        match end {
            UNFINISHED => Err(PatternError::UnfinishedCapture),
            POSITION => Ok(Capture::Position(start + 1)),
            end => Ok(Capture::Bytes(start..end)),
        }
    }

    #[inline]
    fn burn(&mut self, steps: u64) -> Result<(), PatternError> {
        if steps < self.fuel {
            self.fuel -= steps;
            Ok(())
        } else {
            self.refuel(steps)
        }
    }

    #[cold]
    fn refuel(&mut self, steps: u64) -> Result<(), PatternError> {
        self.settle();
        self.fuel = self.count.lease(steps).ok_or(PatternError::OutOfFuel)?;
        Ok(())
    }

    /// Gives back what it has leased.
    pub fn settle(&mut self) {
        self.count.give_back(std::mem::take(&mut self.fuel));
    }

    #[inline]
    fn pattern_at(&self, p: usize) -> u8 {
        self.pattern.get(p).copied().unwrap_or(0)
    }

    #[inline]
    fn nested(&mut self, s: usize, p: usize) -> Found {
        if self.depth == 0 {
            return Err(PatternError::TooComplex);
        }
        self.depth -= 1;
        let found = self.items(s, p)?;
        self.depth += 1;
        Ok(found)
    }

    /// Matches the items of the pattern from `p` against the subject from `s`.
    fn items(&mut self, mut s: usize, mut p: usize) -> Found {
        loop {
            self.burn(2)?;
            let Some(&item) = self.pattern.get(p) else { return Ok(Some(s)) };
            match item {
                b'(' if self.pattern_at(p + 1) == b')' => return self.open_capture(s, p + 2, POSITION),
                b'(' => return self.open_capture(s, p + 1, UNFINISHED),
                b')' => return self.close_capture(s, p + 1),
                b'$' if p + 1 == self.pattern.len() => return Ok((s == self.subject.len()).then_some(s)),
                b'%' => match self.pattern_at(p + 1) {
                    b'b' => {
                        let Some(end) = self.balance(s, p + 2)? else { return Ok(None) };
                        s = end;
                        p += 4;
                        continue;
                    }
                    b'f' => {
                        let Some(next) = self.frontier(s, p + 2)? else { return Ok(None) };
                        p = next;
                        continue;
                    }
                    digit @ b'0'..=b'9' => {
                        let Some(end) = self.back_reference(s, digit)? else { return Ok(None) };
                        s = end;
                        p += 2;
                        continue;
                    }
                    _ => {}
                },
                _ => {}
            }
            let class_end = self.class_end(p)?;
            let cost = self.class_cost(p, class_end);
            if cost > 1 {
                self.burn(cost)?;
            }
            let suffix = self.pattern_at(class_end);
            if !self.single(s, p, class_end) {
                if !matches!(suffix, b'*' | b'?' | b'-') {
                    return Ok(None);
                }
                p = class_end + 1;
                continue;
            }
            match suffix {
                b'?' => {
                    if let Some(end) = self.nested(s + 1, class_end + 1)? {
                        return Ok(Some(end));
                    }
                    p = class_end + 1;
                }
                b'+' => return self.longest(s + 1, s + 1, p, class_end, cost),
                b'*' => return self.longest(s, s + 1, p, class_end, cost),
                b'-' => return self.shortest(s, p, class_end, cost),
                _ => {
                    s += 1;
                    p = class_end;
                }
            }
        }
    }

    /// As many as there are, then fewer, until it ends at `least`. Up to `end` the class is known to match.
    fn longest(&mut self, least: usize, mut end: usize, p: usize, class_end: usize, cost: u64) -> Found {
        if self.pattern[p] == b'.' {
            end = self.subject.len();
        } else {
            while self.single(end, p, class_end) {
                self.burn(cost)?;
                end += 1;
            }
        }
        loop {
            if let Some(found) = self.nested(end, class_end + 1)? {
                return Ok(Some(found));
            }
            if end == least {
                return Ok(None);
            }
            end -= 1;
        }
    }

    fn shortest(&mut self, mut s: usize, p: usize, class_end: usize, cost: u64) -> Found {
        loop {
            if let Some(found) = self.nested(s, class_end + 1)? {
                return Ok(Some(found));
            }
            self.burn(cost)?;
            if !self.single(s, p, class_end) {
                return Ok(None);
            }
            s += 1;
        }
    }

    fn open_capture(&mut self, s: usize, p: usize, end: usize) -> Found {
        let Some(slot) = self.slots.get_mut(self.level) else { return Err(PatternError::TooManyCaptures) };
        *slot = Slot { start: s, end };
        self.level += 1;
        let found = self.nested(s, p)?;
        if found.is_none() {
            self.level -= 1;
        }
        Ok(found)
    }

    fn close_capture(&mut self, s: usize, p: usize) -> Found {
        let open = self.slots[..self.level].iter().rposition(|slot| slot.end == UNFINISHED);
        let index = open.ok_or(PatternError::InvalidCapture)?;
        self.slots[index].end = s;
        let found = self.nested(s, p)?;
        if found.is_none() {
            self.slots[index].end = UNFINISHED;
        }
        Ok(found)
    }

    fn back_reference(&mut self, s: usize, digit: u8) -> Found {
        let index = usize::from(digit).wrapping_sub(usize::from(b'1'));
        let invalid = PatternError::InvalidCaptureIndex(digit - b'0');
        let Slot { start, end } = match self.slots[..self.level].get(index) {
            Some(slot) if slot.end != UNFINISHED => *slot,
            _ => return Err(invalid),
        };
        if end == POSITION {
            // Lua takes the mark of a position for an endless length, which fits nowhere.
            return Ok(None);
        }
        let captured = &self.subject[start..end];
        let matched = self.subject[s..].starts_with(captured);
        let length = captured.len();
        self.burn(length as u64 / 8)?;
        Ok(matched.then_some(s + length))
    }

    /// `%bxy`, with `p` at the x.
    fn balance(&mut self, s: usize, p: usize) -> Found {
        let &[open, close, ..] = self.pattern.get(p..).unwrap_or_default() else {
            return Err(PatternError::MissingBalanceArguments);
        };
        if self.subject.get(s) != Some(&open) {
            return Ok(None);
        }
        let mut depth = 1usize;
        for (index, &byte) in self.subject[s + 1..].iter().enumerate() {
            if byte == close {
                depth -= 1;
                if depth == 0 {
                    self.burn(index as u64)?;
                    return Ok(Some(s + index + 2));
                }
            } else if byte == open {
                depth += 1;
            }
        }
        self.burn((self.subject.len() - s) as u64)?;
        Ok(None)
    }

    /// `%f[set]`, with `p` behind the f: where the pattern goes on, if this is such a frontier.
    fn frontier(&mut self, s: usize, p: usize) -> Found {
        if self.pattern_at(p) != b'[' {
            return Err(PatternError::MissingFrontierSet);
        }
        let next = self.class_end(p)?;
        self.burn(self.class_cost(p, next))?;
        let before = if s == 0 { 0 } else { self.subject[s - 1] };
        let after = self.subject.get(s).copied().unwrap_or(0);
        Ok((!self.set(before, p, next - 1) && self.set(after, p, next - 1)).then_some(next))
    }

    /// Where the class that begins at `p` ends.
    #[inline]
    fn class_end(&self, p: usize) -> Result<usize, PatternError> {
        match self.pattern[p] {
            b'%' if p + 1 == self.pattern.len() => Err(PatternError::EndsWithPercent),
            b'%' => Ok(p + 2),
            b'[' => self.set_end(p),
            _ => Ok(p + 1),
        }
    }

    fn set_end(&self, p: usize) -> Result<usize, PatternError> {
        let mut p = p + 1;
        if self.pattern_at(p) == b'^' {
            p += 1;
        }
        // The first byte belongs to the set, even `]`.
        loop {
            let Some(&byte) = self.pattern.get(p) else { return Err(PatternError::MissingBracket) };
            p += 1;
            if byte == b'%' && p < self.pattern.len() {
                p += 1;
            }
            if self.pattern_at(p) == b']' {
                return Ok(p + 1);
            }
        }
    }

    /// Steps to ask a class once: a set is read from its beginning each time.
    #[inline]
    fn class_cost(&self, p: usize, class_end: usize) -> u64 {
        if self.pattern[p] == b'[' { (class_end - p) as u64 } else { 1 }
    }

    #[inline]
    fn single(&self, s: usize, p: usize, class_end: usize) -> bool {
        let Some(&byte) = self.subject.get(s) else { return false };
        match self.pattern[p] {
            b'.' => true,
            b'%' => in_class(byte, self.pattern_at(p + 1)),
            b'[' => self.set(byte, p, class_end - 1),
            literal => literal == byte,
        }
    }

    /// Whether the set from the `[` at `p` to the `]` at `last` has the byte.
    fn set(&self, byte: u8, mut p: usize, last: usize) -> bool {
        p += 1;
        let negated = self.pattern_at(p) == b'^';
        if negated {
            p += 1;
        }
        while p < last {
            let found = match self.pattern[p] {
                b'%' => {
                    p += 1;
                    in_class(byte, self.pattern_at(p))
                }
                low if self.pattern_at(p + 1) == b'-' && p + 2 < last => {
                    p += 2;
                    (low..=self.pattern[p]).contains(&byte)
                }
                literal => literal == byte,
            };
            if found {
                return !negated;
            }
            p += 1;
        }
        negated
    }
}

/// `%a` and the like: a letter names a class, in upper case its complement; what is no class stands for itself.
#[inline]
fn in_class(byte: u8, class: u8) -> bool {
    let inside = match class.to_ascii_lowercase() {
        b'a' => byte.is_ascii_alphabetic(),
        b'c' => byte.is_ascii_control(),
        b'd' => byte.is_ascii_digit(),
        b'g' => byte.is_ascii_graphic(),
        b'l' => byte.is_ascii_lowercase(),
        b'p' => byte.is_ascii_punctuation(),
        b's' => matches!(byte, b' ' | 9..=13),
        b'u' => byte.is_ascii_uppercase(),
        b'w' => byte.is_ascii_alphanumeric(),
        b'x' => byte.is_ascii_hexdigit(),
        // Deprecated, and there.
        b'z' => byte == 0,
        _ => return class == byte,
    };
    inside == class.is_ascii_lowercase()
}

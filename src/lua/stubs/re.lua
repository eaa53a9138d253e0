---@meta

---Regular expressions that cannot backtrack: a search takes time in proportion to the text, whatever the expression. The syntax
---is that of <https://docs.rs/regex/latest/regex/#syntax>: as in Perl and Python, without look-around and backreferences.
---Letters, digits and spaces are those of all alphabets; `(?-u:\w)` is ASCII only.
---
---Texts come first, as in Lua's `string`; a pattern is a string, or what `re.compile` made. Patterns given as strings are kept
---compiled, too. `[[…]]` spares doubling backslashes: `re.match(text, [[(\d+)-(\d+)]])`.
---
---A search that could use several times the script's CPU limit is an error before it begins: a text of megabytes, and an
---expression with large repetitions.
---@class re
re = {}

---A match: `match[0]` is the whole of it, `match[1]` the first group, and a group `(?<year>\d+)` is `match.year` as well. A
---group that took no part is nil.
---@class re.match
---@field [integer] string?
---@field [string] string?

---@alias re.replacement string|fun(match: re.match): string|number|false|nil|table<string, string|number|false>

---A compiled expression. Its methods are the functions of `re`, without the pattern.
---@class re.pattern
---@field pattern string As it was given.
local Pattern = {}

---Compiles an expression. Flags, any of: `i` upper and lower case are the same, `m` `^` and `$` match at lines, `s` `.` matches
---`\n`, `x` spaces and `# comments` in the pattern are passed over. A pattern that is wrong is an error that shows where.
---@param pattern string
---@param flags? string
---@return re.pattern
function re.compile(pattern, flags) end

---The first match, from position `init` on (from the end if it is negative), or nil.
---
---```lua
---local date = re.match(text, [[(?<year>\d{4})-(?<month>\d\d)]])
---if date then print(date.year, date[2]) end
---```
---@param text string
---@param pattern string|re.pattern
---@param init? integer
---@return re.match?
function re.match(text, pattern, init) end

---Where the first match begins and ends, in bytes as `string.find` counts them, or nil.
---@param text string
---@param pattern string|re.pattern
---@param init? integer
---@return integer? first
---@return integer? last
function re.find(text, pattern, init) end

---Whether there is a match; quicker than asking where.
---@param text string
---@param pattern string|re.pattern
---@return boolean
function re.test(text, pattern) end

---All matches, one after the other: `for match in re.gmatch(text, [[\w+]]) do`.
---@param text string
---@param pattern string|re.pattern
---@return fun(): re.match?
function re.gmatch(text, pattern) end

---Replaces matches, all or the first `count`; returns the new text and how many there were.
---
---A string may name groups: `$1`, `${name}`, `$0` for the whole, `$$` for a `$`; `${1}st` parts a group from what follows. A
---function gets each match and gives what takes its place, or nil to leave it; it may wait. A table is looked up by the first
---group, or by the whole match where there is none.
---
---```lua
---re.gsub("2026-07", [[(\d+)-(\d+)]], "$2/$1")                 --> "07/2026", 1
---re.gsub("hello {name}", [[\{(\w+)\}]], { name = "Ann" })     --> "hello Ann", 1
---```
---@param text string
---@param pattern string|re.pattern
---@param replacement re.replacement
---@param count? integer
---@return string text
---@return integer count
function re.gsub(text, pattern, replacement, count) end

---The parts between matches, at most `count` of them.
---@param text string
---@param pattern string|re.pattern
---@param count? integer
---@return string[]
function re.split(text, pattern, count) end

---The text as an expression that matches it and nothing else.
---@param text string
---@return string
function re.escape(text) end

---@param text string
---@param init? integer
---@return re.match?
function Pattern:match(text, init) end

---@param text string
---@param init? integer
---@return integer? first
---@return integer? last
function Pattern:find(text, init) end

---@param text string
---@return boolean
function Pattern:test(text) end

---@param text string
---@return fun(): re.match?
function Pattern:gmatch(text) end

---@param text string
---@param replacement re.replacement
---@param count? integer
---@return string text
---@return integer count
function Pattern:gsub(text, replacement, count) end

---@param text string
---@param count? integer
---@return string[]
function Pattern:split(text, count) end

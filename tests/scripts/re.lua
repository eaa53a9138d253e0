-- re: matches, captures, replacements, and errors that show where.
local state = script.state

local function fails(expected, fn, ...)
  local ok, err = pcall(fn, ...)
  assert(not ok and tostring(err):find(expected, 1, true), tostring(err))
end

local function same(list, ...)
  assert(#list == select("#", ...), "a list of " .. #list)
  for i, value in ipairs(list) do
    assert(value == select(i, ...), value)
  end
end

-- Captures by number and by name; a group that took no part is nil.
local date = re.compile([[(?P<year>\d{4})-(?P<month>\d\d)(T\d\d)?]])
local match = date:match("on 2026-07-10 and later")
assert(match[0] == "2026-07" and match[1] == "2026" and match.year == "2026" and match.month == "07" and match[3] == nil)
assert(date:match("no date") == nil)
assert(re.match("äöü", "(?i)Ö")[0] == "ö", "letters are letters of any alphabet")
assert(re.compile("^b$", "im"):test("a\nB\nc"))

-- Positions are bytes, as in string.find; init counts from the end if it is negative.
local first, last = re.find("aXbXc", "X")
assert(first == 2 and last == 2)
assert(select(2, re.find("aXbXc", "X", 3)) == 4 and re.find("aXbXc", "X", -1) == nil)
assert(re.find("abc", "", 4) == 4 and re.find("abc", "", 5) == nil)
assert(re.test("abc", "^b") == false and re.match("abc", "^b", 2) == nil, "^ is the beginning of the text")

local found = {}
for m in re.gmatch("a1b22c", [[([a-z])(\d*)]]) do
  found[#found + 1] = m[1] .. "=" .. m[2]
end
same(found, "a=1", "b=22", "c=")
local empty = 0
for _ in re.gmatch("äb", "x*") do
  empty = empty + 1
end
assert(empty == 3, "between characters, not within them")

-- Replacements: a template, a function, a table.
assert(re.gsub("2026-07", date, "${month}/$year") == "07/2026")
local text, count = re.gsub("aaa", "a", "b", 2)
assert(text == "bba" and count == 2)
assert(re.gsub("1 2 3", [[\d]], function(m) return m[0] ~= "2" and m[0] * 10 end) == "10 2 30")
assert(re.gsub("hello {name}, {what}", [[\{(\w+)\}]], { name = "Ann" }) == "hello Ann, {what}")
assert(re.gsub("äb", "", "-") == "-ä-b-")
assert(re.gsub("a$b", [[\$]], "$$$$") == "a$$b")
assert(re.gsub("x", "(x)", "${1}y") == "xy")

same(re.split("a, b,c", [[,\s*]]), "a", "b", "c")
same(re.split("a,b,c", ",", 2), "a", "b,c")
same(re.split("", ","), "")
same(re.split("äb", ""), "ä", "b")
assert(re.test("1+1", "^" .. re.escape("1+1") .. "$"))
assert(re.match("\xff\xfea", "a")[0] == "a", "any bytes can be searched")
assert(tostring(date):find("^pattern "))

fails("re.lua:61: re.match: regex parse error:", function()
  local _ = re.match("x", "a(b")
end)
fails("error: unclosed group", re.compile, "a(b")
fails("look-around, including look-ahead and look-behind, is not supported", re.compile, "(?=x)")
fails("'q' is no flag of a regular expression", re.compile, "x", "q")
fails("the regular expression has no group `1y`", re.gsub, "x", "(x)", "$1y")
fails("re.match expects a text, got nil", re.match, nil, "x")
fails("re.match expects a regular expression, got number", re.match, "x", 5)
fails("becomes too large", re.compile, [[(\w{100}){100}]])
fails("is too long for this regular expression", re.test, ("ab"):rep(1000000), "[ab]*a[ab]{900}[cd]")

-- A function that replaces may wait.
tg.on_message(function(message)
  state.slow = re.gsub(message.text, [[\w+]], function(m)
    tg.sleep(0.001)
    return m[0]:upper()
  end)
end)

--! private 7 Alice: hello world
--! expect slow: "HELLO WORLD"

-- re: regular expressions that cannot backtrack.

local native = ...

local concat, math_type, sub, tostring, type = table.concat, math.type, string.sub, tostring, type
local getmetatable, setmetatable = native.getmetatable, native.setmetatable
local check, fail = native.check, native.fail

local re = {}
local Pattern = { __name = "pattern", __metatable = false }
Pattern.__index = Pattern

-- What a function was given as its text and its pattern.
local function given(what, text, pattern)
  if type(text) ~= "string" then
    fail(what .. " expects a text, got " .. type(text))
  end
  if type(pattern) == "string" then
    return pattern, 0
  end
  if type(pattern) == "table" and getmetatable(pattern) == Pattern then
    return pattern.pattern, pattern.flags
  end
  fail(what .. " expects a regular expression, got " .. type(pattern))
end

-- The offset of a position as string.find takes it.
local function offset(what, text, init)
  if init == nil then
    return 0
  end
  if math_type(init) ~= "integer" then
    fail(what .. ": init is an integer, got " .. tostring(init))
  end
  if init > 0 then
    return init - 1
  elseif init == 0 or -init > #text then
    return 0
  end
  return #text + init
end

local function count_of(what, count)
  if count ~= nil and (math_type(count) ~= "integer" or count < 0) then
    fail(what .. ": the count is an integer of at least 0, got " .. tostring(count))
  end
  return count
end

-- The next match: its captures (or true), and the offsets of its beginning and its end.
local function next_match(what, pattern, flags, text, from, last, captures)
  local match, first, stop = native.re_next(pattern, flags, text, from, last, captures)
  if match == nil and first ~= nil then
    fail(what .. ": " .. first)
  end
  return match, first, stop
end

function re.compile(pattern, flags)
  if type(pattern) ~= "string" then
    fail("re.compile expects a regular expression, got " .. type(pattern))
  end
  if flags ~= nil and type(flags) ~= "string" then
    fail("re.compile: flags are a string of letters, got " .. type(flags))
  end
  local bits, message = native.re_compile(pattern, flags or "")
  if message then
    fail("re.compile: " .. message)
  end
  return setmetatable({ pattern = pattern, flags = bits }, Pattern)
end

function re.match(text, pattern, init)
  local source, flags = given("re.match", text, pattern)
  return (next_match("re.match", source, flags, text, offset("re.match", text, init), nil, true))
end

function re.find(text, pattern, init)
  local source, flags = given("re.find", text, pattern)
  local found, first, stop =
    next_match("re.find", source, flags, text, offset("re.find", text, init), nil, false)
  if found then
    return first + 1, stop
  end
  return nil
end

function re.test(text, pattern)
  local source, flags = given("re.test", text, pattern)
  return next_match("re.test", source, flags, text, 0, nil, false) == true
end

function re.gmatch(text, pattern)
  local source, flags = given("re.gmatch", text, pattern)
  local from, last = 0, nil
  return function()
    local match, _, stop = next_match("re.gmatch", source, flags, text, from, last, true)
    if match then
      from, last = stop, stop
    else
      from = #text + 1
    end
    return match
  end
end

-- A callback may wait, so the loop is here.
local function replaced_by(text, source, flags, replacement, count)
  local parts, made, at, from, last = {}, 0, 0, 0, nil
  while made ~= count do
    local match, first, stop = next_match("re.gsub", source, flags, text, from, last, true)
    if not match then
      break
    end
    local value
    if type(replacement) == "function" then
      value = replacement(match)
    else
      value = replacement[match[1] or match[0]]
    end
    if not value then
      value = match[0]
    elseif type(value) == "number" then
      value = tostring(value)
    elseif type(value) ~= "string" then
      fail("re.gsub: a replacement is a string, or nil to keep what was there, got " .. type(value))
    end
    parts[#parts + 1] = sub(text, at + 1, first)
    parts[#parts + 1] = value
    made, at, from, last = made + 1, stop, stop, stop
  end
  parts[#parts + 1] = sub(text, at + 1)
  return concat(parts), made
end

function re.gsub(text, pattern, replacement, count)
  local source, flags = given("re.gsub", text, pattern)
  count = count_of("re.gsub", count)
  local kind = type(replacement)
  if kind == "function" or kind == "table" then
    return replaced_by(text, source, flags, replacement, count)
  end
  if kind ~= "string" then
    fail("re.gsub expects a string, a function or a table as the replacement, got " .. kind)
  end
  local result, made = native.re_replace(source, flags, text, replacement, count)
  if result == nil then
    fail("re.gsub: " .. made)
  end
  return result, made
end

function re.split(text, pattern, count)
  local source, flags = given("re.split", text, pattern)
  local parts, message = native.re_split(source, flags, text, count_of("re.split", count))
  if message then
    fail("re.split: " .. message)
  end
  return parts
end

function re.escape(text)
  if type(text) ~= "string" then
    fail("re.escape expects a text, got " .. type(text))
  end
  return check(native.re_escape(text))
end

function Pattern:match(text, init)
  return re.match(text, self, init)
end

function Pattern:find(text, init)
  return re.find(text, self, init)
end

function Pattern:test(text)
  return re.test(text, self)
end

function Pattern:gmatch(text)
  return re.gmatch(text, self)
end

function Pattern:gsub(text, replacement, count)
  return re.gsub(text, self, replacement, count)
end

function Pattern:split(text, count)
  return re.split(text, self, count)
end

function Pattern:__tostring()
  return "pattern " .. tostring(self.pattern)
end

return re

-- Error objects: {code, name, value, method} for what Telegram answers with, LUA_ERROR for a fault of Lua.

local native = ...

local pcall, type = pcall, type
local sub = string.sub
local getmetatable, setmetatable = native.getmetatable, native.setmetatable
local fail = native.fail

local Error = { __name = "error", __metatable = false }

-- Whether a name matches a pattern, in which * stands for any end: PHONE_CODE_*.
local function matches(name, pattern)
  if sub(pattern, -1) == "*" then
    local start = sub(pattern, 1, -2)
    return sub(name, 1, #start) == start
  end
  return name == pattern
end

local methods = {}

function methods:is(pattern)
  if type(pattern) ~= "string" then
    fail("err:is expects the name of an error, or the beginning of one and *")
  end
  return matches(self.name, pattern)
end

Error.__index = methods

function Error:__tostring()
  return (self.place or "") .. (self.text or self.name)
end

function native.make_error(fields)
  return setmetatable(fields, Error)
end

-- What was raised, as an error object.
local function as_error(err)
  if type(err) == "table" and getmetatable(err) == Error then
    return err
  end
  return setmetatable({ name = "LUA_ERROR", text = native.describe(err), raised = err }, Error)
end

local function tried(ok, ...)
  if ok then
    return true, ...
  end
  return false, as_error((...))
end

function native.errors(tg)
  -- tg.try(fn, ...) → true and the results, or false and an error object.
  function tg.try(fn, ...)
    return tried(pcall(fn, ...))
  end

  -- Whether what was raised is the error of that name; takes anything.
  function tg.is(err, pattern)
    if type(pattern) ~= "string" then
      fail("tg.is expects an error and the name of one")
    end
    if type(err) ~= "table" or getmetatable(err) ~= Error then
      return matches("LUA_ERROR", pattern) and err ~= nil
    end
    return matches(err.name, pattern)
  end
end

-- Filters: Rust values in a Lua coat, so that what is wrong with one is told with the script's line.

local native = ...

local pairs, tostring, type = pairs, tostring, type
local getmetatable, setmetatable = native.getmetatable, native.setmetatable
local check, fail = native.check, native.fail

local Filter = { __name = "filter", __metatable = false }
-- Where a filter keeps its Rust value; no name of a script is this table.
local NODE = {}

local function wrap(node)
  return setmetatable({ [NODE] = node }, Filter)
end

local function from_function(fn)
  return wrap(check(native.filter_lua(fn)))
end

-- The Rust value of a filter; a function is taken for filters.create(fn). `what` is who asks.
local function node_of(filter, what)
  if type(filter) == "function" then
    filter = from_function(filter)
  end
  if type(filter) ~= "table" or getmetatable(filter) ~= Filter then
    fail(what .. " expects a filter, got " .. type(filter))
  end
  return filter[NODE]
end
native.node_of = node_of

function native.is_filter(value)
  return type(value) == "table" and getmetatable(value) == Filter
end

function Filter.__band(a, b)
  return wrap(check(native.filter_and(node_of(a, "&"), node_of(b, "&"))))
end

function Filter.__bor(a, b)
  return wrap(check(native.filter_or(node_of(a, "|"), node_of(b, "|"))))
end

function Filter.__bnot(a)
  return wrap(check(native.filter_not(node_of(a, "~"))))
end

function Filter.__tostring()
  return "filter"
end

local made = {}

function made.create(fn)
  if type(fn) ~= "function" then
    fail("filters.create expects a function, got " .. type(fn))
  end
  return from_function(fn)
end

function made.command(names, options)
  return wrap(check(native.filter_command(names, options)))
end

function made.regex(pattern, flags)
  return wrap(check(native.filter_regex(pattern, flags)))
end

function made.callback_data(pattern, flags)
  return wrap(check(native.filter_data(pattern, flags)))
end

function made.topic(topics)
  return wrap(check(native.filter_topic(topics)))
end

local function parametric(make)
  return function(who)
    return wrap(check(make(who)))
  end
end

made.user = parametric(native.filter_user)
made.chat = parametric(native.filter_chat)

local named = native.named_filters

filters = setmetatable({}, {
  __index = function(_, name)
    local value = made[name]
    if value == nil and named[name] ~= nil then
      value = wrap(named[name])
      made[name] = value
    end
    if value ~= nil then
      return value
    end
    local names = {}
    for known in pairs(named) do
      names[#names + 1] = known
    end
    for known in pairs(made) do
      names[#names + 1] = known
    end
    local near = type(name) == "string" and native.nearest(name, names)
    fail("there is no filter " .. tostring(name) .. (near and "; did you mean filters." .. near .. "?" or ""))
  end,
  __newindex = function()
    fail("filters cannot be changed; filters.create(fn) makes one")
  end,
  __pairs = function()
    local all = {}
    for name, node in pairs(named) do
      all[name] = wrap(node)
    end
    for name, value in pairs(made) do
      all[name] = value
    end
    return pairs(all)
  end,
  __metatable = false,
})
native.filter_of_command = made.command
native.filter_outgoing = wrap(named.outgoing)

-- What a script finds as its globals, beside Telegram. Runs once in each new state, before the script, and takes the
-- library apart: what stays behind in locals cannot be reached, or broken, by a script.

local native = ...

local error, pcall, rawget, rawset, select, setmetatable, tostring, type =
  error, pcall, rawget, rawset, select, setmetatable, tostring, type
local concat, pack, unpack = table.concat, table.pack, table.unpack
local format, gsub = string.format, string.gsub
local close, create, resume, running, status, yield =
  coroutine.close, coroutine.create, coroutine.resume, coroutine.running, coroutine.status, coroutine.yield
local native_load, native_xpcall, native_isyieldable = load, xpcall, coroutine.isyieldable
local globals = _G
-- Modules of the prelude take this one: it need not check what they give it.
native.setmetatable = setmetatable

-- Raises with the line of the script, however many of our own functions lie between.
local function fail(message)
  error(native.where() .. message, 0)
end
native.fail = fail

-- What a native returned: its value, or nil and what to raise.
local function check(value, message)
  if message ~= nil then
    if type(message) == "string" then
      return fail(message)
    end
    error(message, 0)
  end
  return value
end
native.check = check

-- Waiting. `op` is what Rust has begun; the scheduler resumes with true and the result, or false and what to raise.
local WAIT = native.WAIT

local function finish_wait(ok, value)
  if ok then
    return value
  end
  error(value, 0)
end

function native.wait(op)
  return finish_wait(yield(WAIT, op))
end

-- Coroutines of the script: what waits in one of them goes up to the scheduler, and down again.
local own = setmetatable({}, { __mode = "k" })

local function relay(co, ok, first, ...)
  if ok and first == WAIT and status(co) == "suspended" then
    return relay(co, resume(co, yield(WAIT, ...)))
  end
  return ok, first, ...
end

function coroutine.create(fn)
  local co = create(fn)
  own[co] = true
  return co
end

-- The coroutine that a handler runs in is the scheduler's: nobody else resumes or closes it.
local function check_own(what, co)
  if type(co) == "thread" and not own[co] then
    fail(what .. ": this coroutine is the host's")
  end
end

function coroutine.resume(co, ...)
  check_own("coroutine.resume", co)
  return relay(co, resume(co, ...))
end

function coroutine.close(co)
  check_own("coroutine.close", co)
  return close(co)
end

local NO_MEMORY = "not enough memory"

local function unwrap(co, ok, ...)
  if ok then
    return ...
  end
  local message = ...
  if status(co) == "dead" then
    if message == NO_MEMORY then
      native.note_memory(co)
    end
    close(co)
  end
  error(message, 0)
end

function coroutine.wrap(fn)
  local co = create(fn)
  own[co] = true
  return function(...)
    return unwrap(co, relay(co, resume(co, ...)))
  end
end

function coroutine.yield(...)
  if not own[running()] then
    fail("attempt to yield from outside a coroutine")
  end
  return yield(...)
end

function coroutine.isyieldable(co)
  return own[co or running()] ~= nil and native_isyieldable(co)
end

-- A message handler runs after the unwinding, where it can be stopped and may wait; the traceback is taken before.
local trace_of_error

local function handled(handler, trace, ok, ...)
  if ok then
    return true, ...
  end
  local before = trace_of_error
  trace_of_error = trace.text
  local results = pack(pcall(handler, ...))
  trace_of_error = before
  return false, unpack(results, 2, results.n)
end

function xpcall(fn, handler, ...)
  local trace = {}
  local function note(err)
    trace.text = native.traceback("", 2)
    return err
  end
  return handled(handler, trace, native_xpcall(fn, note, ...))
end

debug = {
  traceback = function(message, level)
    if message ~= nil and type(message) ~= "string" and type(message) ~= "number" then
      return message
    end
    message = message and tostring(message) .. "\n" or ""
    if trace_of_error then
      return message .. (gsub(trace_of_error, "^\n", ""))
    end
    return message .. (gsub(native.traceback("", 1 + (level or 1)), "^\n", ""))
  end,
}

function setmetatable_checked(table, metatable)
  if type(metatable) == "table" and rawget(metatable, "__gc") ~= nil then
    fail("setmetatable: __gc is not available to scripts")
  end
  return setmetatable(table, metatable)
end
globals.setmetatable, globals.setmetatable_checked = globals.setmetatable_checked, nil

function collectgarbage(option)
  if option == "count" then
    return native.used_memory() / 1024
  end
  fail("collectgarbage: only \"count\" is available to scripts")
end

function load(chunk, name, mode, ...)
  if mode ~= nil and mode ~= "t" and mode ~= "bt" then
    return nil, "load: only text can be loaded"
  end
  if type(name) ~= "string" then
    name = "=(load)"
  end
  if select("#", ...) > 0 then
    return native_load(chunk, name, "t", (...))
  end
  return native_load(chunk, name, "t")
end

-- The log.
local function joined(...)
  local parts = pack(...)
  for i = 1, parts.n do
    parts[i] = tostring(parts[i])
  end
  return concat(parts, "\t")
end

function print(...)
  native.log("info", joined(...))
end

-- (text), (format, …); with a table of fields behind either. A table without a metatable is no use to a format.
local function logger(level)
  local what = "log." .. level
  return function(text, ...)
    local count = select("#", ...)
    local fields = count > 0 and select(count, ...) or nil
    if type(fields) == "table" and native.getmetatable(fields) == nil then
      count = count - 1
      local encoded, message = native.log_fields(fields)
      if message then
        fail(what .. ": " .. message)
      end
      fields = encoded
    else
      fields = nil
    end
    if count == 0 then
      return native.log(level, tostring(text), fields)
    end
    local ok, message = pcall(format, text, unpack(pack(...), 1, count))
    if not ok then
      fail(what .. ": " .. message)
    end
    native.log(level, message, fields)
  end
end

log = { debug = logger("debug"), info = logger("info"), warn = logger("warn"), error = logger("error") }

-- Time comes from the host's clock.
local native_date, native_time = os.date, os.time

function os.time(when)
  if when == nil then
    return native.now()
  end
  return native_time(when)
end

function os.date(pattern, when)
  return native_date(pattern, when or native.now())
end

-- Modules that are made when they are first read. What the prelude itself uses of them is not what a script has put in
-- their place.
local made = {}

local function lazy(name)
  local value = made[name]
  if value == nil then
    value = native.lazy_module(native, name)
    if value ~= nil then
      made[name] = value
    end
  end
  return value
end
native.module = lazy

script = { name = native.name, config = native.config, state = native.state }

function script.on_unload(fn)
  if type(fn) ~= "function" then
    fail("script.on_unload expects a function, got " .. type(fn))
  end
  check(native.on_unload(fn))
end

-- Modules: one value for each file, whatever name it was required by.
local modules, loading = {}, {}
local library = setmetatable({}, {
  __index = function(_, name)
    local value = rawget(globals, name)
    if value == nil then
      value = lazy(name)
    end
    return value
  end,
  __newindex = function(_, name, value)
    rawset(globals, name, value)
  end,
})
rawset(library, "_G", library)

function require(name)
  if type(name) ~= "string" then
    fail("require expects a module's name, got " .. type(name))
  end
  local file = check(native.find_module(name))
  local loaded = modules[file]
  if loaded ~= nil then
    return loaded
  end
  for i = 1, #loading do
    if loading[i] == file then
      fail("module '" .. name .. "' requires itself: " .. concat(loading, " -> ", i) .. " -> " .. file)
    end
  end
  local chunk, message = native.load_module(name, library)
  if not chunk then
    error(message, 0)
  end
  loading[#loading + 1] = file
  local ok, value = pcall(chunk, name, file)
  loading[#loading] = nil
  if not ok then
    error(value, 0)
  end
  if value == nil then
    value = true
  end
  modules[file] = value
  return value
end

-- A global that is not there is a slip of the pen.
function native.seal()
  setmetatable(globals, {
    __index = function(_, name)
      local value = lazy(name)
      if value == nil then
        fail(native.unknown_global(name))
      end
      rawset(globals, name, value)
      return value
    end,
    __metatable = false,
  })
end

-- The loop of one coroutine of the scheduler's pool: it runs handler after handler, as Rust names them. A handler that
-- waits keeps its coroutine; the pool makes another. An error ends the coroutine, and the next one is begun with the
-- event's object, which is the first local variable here, and with what to do.
local IDLE, EVENT, AGAIN, PLAIN, FAILED = native.IDLE, native.EVENT, native.AGAIN, native.PLAIN, native.FAILED
local next_step = native.next

function native.worker(event, what, fn, a, b, c, d)
  if what == nil then
    what, fn, a, b, c, d = next_step()
  end
  while true do
    if what == EVENT then
      event = nil
      event = a(b, c, d)
      what, fn, a, b, c, d = next_step(true, (fn(event)))
    elseif what == AGAIN then
      if a then
        a(event, b)
      end
      what, fn, a, b, c, d = next_step(true, (fn(event)))
    elseif what == PLAIN then
      what, fn, a, b, c, d = next_step(true, (fn(a, b)))
    elseif what == FAILED then
      what, fn, a, b, c, d = next_step(true, (fn(a, event)))
    else
      event = nil
      yield(IDLE)
      what, fn, a, b, c, d = next_step()
    end
  end
end

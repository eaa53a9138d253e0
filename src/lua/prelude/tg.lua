-- tg: the account. Handlers, the raw API, and the methods of every day.

local native = ...

local error, ipairs, math, pairs, pcall, rawset, select, table, tostring, type =
  error, ipairs, math, pairs, pcall, rawset, select, table, tostring, type
local setmetatable = native.setmetatable
local format, unpack = string.format, table.unpack
local check, fail, wait = native.check, native.fail, native.wait

tg = {}
native.errors(tg)

-- Handlers

local Handle = { __name = "handler" }
Handle.__index = Handle

function Handle:remove()
  return native.remove(self.id)
end

local function register(what, event, filter, fn, options)
  if type(fn) ~= "function" then
    fail(what .. " expects a function, got " .. type(fn))
  end
  if options ~= nil and type(options) ~= "table" then
    fail(what .. ": options are a table, got " .. type(options))
  end
  if options ~= nil and getmetatable(options) ~= nil then
    fail(what .. ": the filter stands before the function")
  end
  for key in pairs(options or {}) do
    if key ~= "group" then
      fail(what .. ": there is no option `" .. tostring(key) .. "`; the one there is is `group`")
    end
  end
  local group = options and options.group
  if group ~= nil and math.type(group) ~= "integer" then
    fail(what .. ": group is an integer")
  end
  local node = filter and native.node_of(filter, what)
  return setmetatable({ id = check(native.on(event, node, fn, group)) }, Handle)
end

-- tg.on_EVENT([filter,] fn [, options])
local function on(event)
  local what = "tg.on_" .. event
  return function(filter, fn, options)
    if type(filter) == "function" and type(fn) ~= "function" then
      filter, fn, options = nil, filter, fn
    end
    return register(what, event, filter, fn, options)
  end
end

for _, event in ipairs({
  "message",
  "edited_message",
  "deleted_messages",
  "callback_query",
  "raw_update",
  "start",
  "stop",
  "error",
}) do
  tg["on_" .. event] = on(event)
end

-- tg.command(name|{names}, [description,] [filter,] fn, [options])
function tg.command(names, ...)
  local arguments, at = { ... }, 1
  local description, filter
  if type(arguments[at]) == "string" then
    description, at = arguments[at], at + 1
  end
  local given = arguments[at]
  if native.is_filter(given) or (type(given) == "function" and type(arguments[at + 1]) == "function") then
    filter, at = given, at + 1
  end
  local fn, options = arguments[at], arguments[at + 1]
  if type(fn) ~= "function" then
    fail("tg.command expects a function, got " .. type(fn))
  end
  if native.is_filter(options) then
    fail("tg.command: the filter stands before the function")
  end
  local command = filters.command(names, options)
  if filter then
    command = command & filter
  elseif not native.me().is_bot then
    command = command & filters.outgoing
  end
  local function call(message)
    return fn(message, unpack(message.command, 2))
  end
  local handle = register("tg.command", "message", command, call, options and { group = options.group })
  for _, name in ipairs(type(names) == "table" and names or { names }) do
    native.note_command(name, description)
  end
  return handle
end

function tg.commands()
  return native.commands()
end

function tg.stop_propagation()
  check(native.propagate(true))
end

function tg.continue_propagation()
  check(native.propagate(false))
end

-- Calls

local RETRY = native.RETRY

local function call(method, fields, shape)
  local value = wait(check(native.call(method, fields, shape)))
  if value == RETRY then
    return call(method, fields, shape)
  end
  return value
end
native.call_method = call

function tg.invoke(method, fields)
  return call(method, fields)
end

-- tg.api.messages.sendMessage{…}; a namespace, and a method without one, is made when it is read.
local function method_of(name)
  return function(fields)
    return call(name, fields)
  end
end

local function no_method(name)
  local near = native.nearest_method(name)
  fail("there is no method " .. name .. (near and "; did you mean " .. near .. "?" or ""))
end

local function namespace_of(prefix)
  return setmetatable({}, {
    __index = function(self, key)
      local name = prefix .. tostring(key)
      if not native.has_method(name) then
        no_method(name)
      end
      local method = method_of(name)
      rawset(self, key, method)
      return method
    end,
  })
end

tg.api = setmetatable({}, {
  __index = function(self, key)
    local name = tostring(key)
    local value
    if native.has_namespace(name) then
      value = namespace_of(name .. ".")
    elseif native.has_method(name) then
      value = method_of(name)
    else
      no_method(name)
    end
    rawset(self, key, value)
    return value
  end,
})

-- Options that a method does not know are slips of the pen.
local function check_options(what, options, known)
  if options == nil then
    return {}
  end
  if type(options) ~= "table" then
    fail(what .. ": options are a table, got " .. type(options))
  end
  for key in pairs(options) do
    if not known[key] then
      local names = {}
      for name in pairs(known) do
        names[#names + 1] = name
      end
      local near = type(key) == "string" and native.nearest(key, names)
      fail(what .. ": there is no option " .. tostring(key) .. (near and "; did you mean " .. near .. "?" or ""))
    end
  end
  return options
end
native.check_options = check_options

local function set(...)
  local known = {}
  for i = 1, select("#", ...) do
    known[select(i, ...)] = true
  end
  return known
end
native.set = set

-- The text without its marks, and its entities for a call.
local function formatted(what, text, options)
  if type(text) == "number" then
    text = tostring(text)
  end
  if type(text) ~= "string" then
    fail(what .. " expects a text, got " .. type(text))
  end
  if options.entities then
    return text, options.entities
  end
  local mode = options.parse_mode or "markdown"
  if mode ~= "markdown" and mode ~= "html" and mode ~= "none" then
    fail(what .. ': parse_mode is "markdown", "html" or "none"')
  end
  return native.parse_text(text, mode)
end
native.formatted = formatted

local SEND = set(
  "parse_mode",
  "entities",
  "reply_to_message_id",
  "topic_id",
  "disable_notification",
  "disable_web_page_preview",
  "protect_content",
  "schedule_date",
  "reply_markup"
)

local function reply_header(options)
  if options.reply_to_message_id or options.topic_id then
    return {
      _ = "inputReplyToMessage",
      reply_to_msg_id = options.reply_to_message_id or options.topic_id,
      top_msg_id = options.reply_to_message_id and options.topic_id or nil,
    }
  end
end

-- Sends a text; returns the message.
function tg.send_message(chat, text, options)
  options = check_options("tg.send_message", options, SEND)
  local plain, entities = formatted("tg.send_message", text, options)
  return call("messages.sendMessage", {
    peer = chat,
    message = plain,
    entities = entities,
    reply_to = reply_header(options),
    silent = options.disable_notification,
    no_webpage = options.disable_web_page_preview,
    noforwards = options.protect_content,
    schedule_date = options.schedule_date,
    reply_markup = options.reply_markup,
  }, "message")
end

local EDIT = set("parse_mode", "entities", "disable_web_page_preview", "reply_markup")

-- Changes a text that the account sent; returns the message.
function tg.edit_message_text(chat, id, text, options)
  options = check_options("tg.edit_message_text", options, EDIT)
  local plain, entities = formatted("tg.edit_message_text", text, options)
  return call("messages.editMessage", {
    peer = chat,
    id = id,
    message = plain,
    entities = entities,
    no_webpage = options.disable_web_page_preview,
    reply_markup = options.reply_markup,
  }, "message")
end

local CHANNELS = -1000000000000

-- The Bot API id of a chat given as an id, a name or an object.
local function chat_id(chat)
  if math.type(chat) == "integer" then
    return chat
  end
  if type(chat) == "table" then
    return native.peer_id(chat)
  end
  if chat == "me" or chat == "self" then
    return native.me().id
  end
  return nil
end

local function is_channel(chat)
  local id = chat_id(chat)
  if id == nil and type(chat) == "string" then
    id = tg.resolve(chat)
  end
  return id ~= nil and id < CHANNELS
end

-- The Bot API id of a name; asks Telegram where it is not known.
function tg.resolve(name)
  if type(name) ~= "string" then
    fail("tg.resolve expects a name, got " .. type(name))
  end
  return check(native.known_id(name)) or (wait(check(native.resolve(name))) and native.known_id(name))
end

local DELETE = set("revoke")

-- Deletes one message or several, for everyone unless revoke is false; returns how many.
function tg.delete_messages(chat, ids, options)
  options = check_options("tg.delete_messages", options, DELETE)
  if type(ids) ~= "table" then
    ids = { ids }
  end
  local result
  if is_channel(chat) then
    result = call("channels.deleteMessages", { channel = chat, id = ids })
  else
    result = call("messages.deleteMessages", { id = ids, revoke = options.revoke ~= false or nil })
  end
  return result.pts_count
end

local FORWARD = set("disable_notification", "protect_content", "drop_author", "topic_id")

-- Forwards messages; returns them as they are in the other chat.
function tg.forward_messages(chat, from_chat, ids, options)
  options = check_options("tg.forward_messages", options, FORWARD)
  local many = type(ids) == "table"
  local messages = call("messages.forwardMessages", {
    from_peer = from_chat,
    to_peer = chat,
    id = many and ids or { ids },
    silent = options.disable_notification,
    noforwards = options.protect_content,
    drop_author = options.drop_author,
    top_msg_id = options.topic_id,
  }, "messages")
  if many then
    return messages
  end
  return messages[1]
end

-- Marks a chat as read, up to a message or wholly.
function tg.read_chat_history(chat, max_id)
  if is_channel(chat) then
    call("channels.readHistory", { channel = chat, max_id = max_id or 0 })
  else
    call("messages.readHistory", { peer = chat, max_id = max_id or 0 })
  end
  return true
end

function tg.get_me()
  local users = call("users.getUsers", { id = { "me" } })
  if not users[1] then
    fail("users.getUsers gave no user")
  end
  return native.user_by_id(users[1].id)
end

setmetatable(tg, {
  __index = function(_, name)
    if name == "me" then
      return native.wrap_user(native.me())
    end
    local names = { "me" }
    for known in pairs(tg) do
      names[#names + 1] = known
    end
    local near = type(name) == "string" and native.nearest(name, names)
    fail("there is no tg." .. tostring(name) .. (near and "; did you mean tg." .. near .. "?" or ""))
  end,
})

-- Waiting

-- Lets the chat go on, and comes back after so many seconds.
function tg.sleep(seconds)
  wait(check(native.sleep(seconds)))
end

-- Runs a function beside the handler.
function tg.spawn(fn, ...)
  if type(fn) ~= "function" then
    fail("tg.spawn expects a function, got " .. type(fn))
  end
  if select("#", ...) > 0 then
    local inner, arguments = fn, table.pack(...)
    fn = function()
      return inner(unpack(arguments, 1, arguments.n))
    end
  end
  check(native.spawn(fn))
end

-- One function of tg.in_order: keeps what it returned, or raised.
local function kept(fn, into, at)
  return function()
    local ok, value = pcall(fn)
    into[at] = { ok, value }
    if ok then
      native.passed()
    end
  end
end

-- Runs functions side by side, and lets Telegram do their calls in this order, without a round trip between them:
--   local first, second = tg.in_order(
--     function() return tg.send_message(chat, "one") end,
--     function() return tg.send_message(chat, "two") end)
-- A list of functions in place of one has no order within itself. Each function has one call in order, its first. Returns what
-- the functions returned, the first value of each. If one raises, the calls after it are not made, and its error is raised.
function tg.in_order(...)
  local steps, results = table.pack(...), {}
  local functions, flat = {}, {}
  for i = 1, steps.n do
    local step = steps[i]
    if type(step) == "function" then
      step = { step }
    elseif type(step) ~= "table" then
      fail("tg.in_order expects functions, got " .. type(step))
    end
    functions[i] = {}
    for j = 1, #step do
      if type(step[j]) ~= "function" then
        fail("tg.in_order expects functions, got a list with a " .. type(step[j]))
      end
      flat[#flat + 1] = false
      functions[i][j] = kept(step[j], flat, #flat)
    end
  end
  wait(check(native.in_order(functions)))
  local next = 0
  for i = 1, steps.n do
    local of_step = {}
    for j = 1, #functions[i] do
      next = next + 1
      local result = flat[next]
      if not result then
        fail("tg.in_order: a function was stopped")
      elseif not result[1] then
        error(result[2], 0)
      end
      of_step[j] = result[2]
    end
    if type(steps[i]) == "function" then
      results[i] = of_step[1]
    else
      results[i] = of_step
    end
  end
  return unpack(results, 1, steps.n)
end

local TIMEOUT = 300

-- The filter, and the seconds, of what an ask was given: {filter, timeout = …}, a filter, or a filter and seconds.
local function expected(what, options, timeout)
  local filter
  if options ~= nil and (native.is_filter(options) or type(options) == "function") then
    filter = options
  elseif type(options) == "table" then
    for key in pairs(options) do
      if key ~= 1 and key ~= "filter" and key ~= "timeout" then
        fail(what .. ": there is no option " .. tostring(key))
      end
    end
    filter, timeout = options[1] or options.filter, options.timeout or timeout
  elseif type(options) == "number" then
    timeout = options
  elseif options ~= nil then
    fail(what .. " expects a filter, got " .. type(options))
  end
  return filter and native.node_of(filter, what), timeout or TIMEOUT
end

-- The next event that matches, or nil when the time is over. What comes is consumed before handlers.
function tg.wait_for(event, filter, timeout)
  if type(event) ~= "string" then
    fail("tg.wait_for expects the name of an event, got " .. type(event))
  end
  local node, seconds = expected("tg.wait_for", filter, timeout)
  return wait(check(native.wait_for(event, node, nil, nil, seconds)))
end

local function next_message(what, chat, user, options, timeout)
  local node, seconds = expected(what, options, timeout)
  return wait(check(native.wait_for("message", node, chat, user, seconds)))
end
native.next_message = next_message

-- Sends a text and waits for the answer: in a group, of the person that the handler at hand is about.
function tg.ask(chat, text, options, timeout)
  expected("tg.ask", options, timeout)
  local sent = tg.send_message(chat, text)
  local id = sent and sent.chat.id or chat_id(chat)
  local user
  if id and id < 0 then
    local here, sender = native.chat_of_run()
    user = here == id and sender or nil
  end
  return next_message("tg.ask", id, user, options, timeout)
end

-- Text

local function escaped_format(escape, what)
  return function(pattern, ...)
    if type(pattern) ~= "string" then
      fail(what .. " expects a format, got " .. type(pattern))
    end
    local arguments = table.pack(...)
    for i = 1, arguments.n do
      local value = arguments[i]
      if type(value) == "number" then
        -- %d and %.2f want numbers, and these need no escape but for a sign or a dot, which are no marks.
        arguments[i] = value
      else
        arguments[i] = escape(tostring(value))
      end
    end
    local ok, text = pcall(format, pattern, unpack(arguments, 1, arguments.n))
    if not ok then
      fail(what .. ": " .. text)
    end
    return text
  end
end

function tg.escape_markdown(text)
  return native.escape_markdown(tostring(text))
end

function tg.escape_html(text)
  return native.escape_html(tostring(text))
end

-- Formats a text as string.format does, and escapes what it puts in.
tg.md = escaped_format(tg.escape_markdown, "tg.md")
tg.html = escaped_format(tg.escape_html, "tg.html")

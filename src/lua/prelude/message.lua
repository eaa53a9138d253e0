-- Messages and the other objects: tables that decode a field when it is read.

local native = ...

local ipairs, next, pairs, rawget, rawset, tostring = ipairs, next, pairs, rawget, rawset, tostring
local offset, sub = utf8.offset, string.sub
local getmetatable, setmetatable = native.getmetatable, native.setmetatable
local tg = tg

-- Where an object keeps its bytes. They are keys that no field has.
local CHANNELS = -1000000000000
local BUNDLE, PEERS, HOW = "\0bundle", "\0peers", "\0how"

-- Users and chats: plain tables that print readably.

local User = { __name = "user", __metatable = false }

function User:__tostring()
  return "user " .. tostring(self.id) .. (self.full_name and " (" .. self.full_name .. ")" or "")
end

local Chat = { __name = "chat", __metatable = false }

function Chat:__tostring()
  return (self.type or "chat") .. " " .. tostring(self.id) .. (self.full_name and " (" .. self.full_name .. ")" or "")
end

local function wrap_user(user)
  return user and setmetatable(user, User)
end
native.wrap_user = wrap_user

local function wrap_chat(chat)
  return chat and setmetatable(chat, Chat)
end

local function wrap_users(users)
  if users then
    for _, user in ipairs(users) do
      wrap_user(user)
    end
  end
  return users
end

-- A user of whom the client has just heard.
function native.user_by_id(id)
  return wrap_user(native.peer_object(nil, id))
end

local wrapped = {
  from_user = wrap_user,
  via_bot = wrap_user,
  left_chat_member = wrap_user,
  new_chat_members = wrap_users,
  chat = wrap_chat,
  sender_chat = wrap_chat,
}

-- Messages

local Message = { __name = "message", __metatable = false }
local Callback = { __name = "callback_query", __metatable = false }
local methods = {}

local is_field = {}
for _, name in ipairs(native.message_fields) do
  is_field[name] = true
end

function Message.__index(message, key)
  local method = methods[key]
  if method ~= nil then
    return method
  end
  if key == "reply_to_message" then
    local replied = methods.get_reply_message(message)
    rawset(message, key, replied)
    return replied
  end
  if not is_field[key] then
    return nil
  end
  local value = native.message_field(rawget(message, BUNDLE), rawget(message, PEERS), rawget(message, HOW), key)
  local wrap = wrapped[key]
  if wrap then
    value = wrap(value)
  end
  if value ~= nil then
    rawset(message, key, value)
  end
  return value
end

-- Every field that the message has, for pairs, json.encode and whoever looks.
function Message.__all(message)
  local all = {}
  for _, name in ipairs(native.message_fields) do
    if name ~= "raw" then
      all[name] = message[name]
    end
  end
  for key, value in next, message do
    if key ~= BUNDLE and key ~= PEERS and key ~= HOW and key ~= "raw" then
      all[key] = value
    end
  end
  return all
end

function Message.__pairs(message)
  return pairs(Message.__all(message))
end

function Message.__tostring(message)
  local text = message.text or message.caption or message.media or message.service or ""
  if #text > 60 then
    text = sub(text, 1, (offset(text, 0, 58) or 58) - 1) .. "…"
  end
  local from = message.from_user and message.from_user.full_name
  return "message " .. tostring(message.id) .. (from and " of " .. from or "") .. ": " .. text
end

function native.make_message(bundle, how, peers)
  return setmetatable({ ["\0bundle"] = bundle, ["\0how"] = how, ["\0peers"] = peers }, Message)
end

-- The same from the place where Rust has put the bundle together: every update passes this, so it is the short way.
local bundle_at = native.bundle_at

function native.make_update_message(place, how, peers)
  return setmetatable({ ["\0bundle"] = bundle_at(place), ["\0how"] = how, ["\0peers"] = peers }, Message)
end

-- Another handler's filter matched in another way.
function native.set_how(message, how)
  if getmetatable(message) == Message then
    rawset(message, HOW, how)
    rawset(message, "command", nil)
    rawset(message, "matches", nil)
  elseif getmetatable(message) == Callback then
    message.matches = message.data and native.matches(how, message.data)
  end
end

-- The options, with the message's own topic.
local function in_topic(message, options)
  local topic = message.topic_id
  if not topic or options and options.topic_id then
    return options
  end
  local copy = { topic_id = topic }
  for key, value in pairs(options or {}) do
    copy[key] = value
  end
  return copy
end

-- Answers without a quote.
function methods:answer(text, options)
  return tg.send_message(self.chat.id, text, in_topic(self, options))
end

-- Answers, quoting the message.
function methods:reply(text, options)
  local copy = { reply_to_message_id = self.id }
  for key, value in pairs(in_topic(self, options) or {}) do
    copy[key] = value
  end
  return tg.send_message(self.chat.id, text, copy)
end

methods.reply_text = methods.reply

function methods:edit_text(text, options)
  return tg.edit_message_text(self.chat.id, self.id, text, options)
end

methods.edit = methods.edit_text

function methods:delete(options)
  return tg.delete_messages(self.chat.id, self.id, options)
end

function methods:forward(chat, options)
  return tg.forward_messages(chat, self.chat.id, self.id, options)
end

function methods:read()
  return tg.read_chat_history(self.chat.id, self.id)
end

-- Answers with a question and waits for what its sender writes next.
function methods:ask(text, options, timeout)
  self:answer(text)
  local user = self.chat.id < 0 and self.from_user and self.from_user.id or nil
  return native.next_message("message:ask", self.chat.id, user, options, timeout)
end

-- The message that this one answers, or nil.
function methods:get_reply_message()
  local id = self.reply_to_message_id
  if not id then
    return nil
  end
  local found
  if self.chat.id < -1000000000000 then
    found = native.call_method("channels.getMessages", {
      channel = self.chat.id,
      id = { { _ = "inputMessageID", id = id } },
    }, "messages")
  else
    found = native.call_method("messages.getMessages", { id = { { _ = "inputMessageID", id = id } } }, "messages")
  end
  return found[1]
end

-- Presses of buttons

local callback_methods = {}
Callback.__index = callback_methods

function Callback:__tostring()
  return "callback query " .. tostring(self.id) .. ": " .. tostring(self.data)
end

local ANSWER = native.set("alert", "url", "cache_time")

-- Ends the waiting of the button, with a text or without.
function callback_methods:answer(text, options)
  options = native.check_options("callback_query:answer", options, ANSWER)
  native.call_method("messages.setBotCallbackAnswer", {
    query_id = self.id,
    message = text,
    alert = options.alert,
    url = options.url,
    cache_time = options.cache_time or 0,
  })
  return true
end

function callback_methods:edit_text(text, options)
  return tg.edit_message_text(self.message.chat.id, self.message.id, text, options)
end

function native.make_callback(raw, how, peers)
  local chat = wrap_chat(native.peer_object(peers, native.peer_id(raw.peer)))
  return setmetatable({
    id = raw.query_id,
    from_user = wrap_user(native.peer_object(peers, raw.user_id)),
    message = { id = raw.msg_id, chat = chat },
    data = raw.data,
    matches = raw.data and native.matches(how, raw.data),
    game_short_name = raw.game_short_name,
    chat_instance = raw.chat_instance,
    raw = raw,
  }, Callback)
end

-- What was deleted: a list of {id, chat}; the chat is known in channels and supergroups only. Other updates: as they came.
function native.make_deleted(raw, how, peers)
  if not raw.messages then
    return raw
  end
  local chat = raw.channel_id and wrap_chat(native.peer_object(peers, CHANNELS - raw.channel_id))
  local list = {}
  for i, id in ipairs(raw.messages) do
    list[i] = { id = id, chat = chat or nil }
  end
  return list
end

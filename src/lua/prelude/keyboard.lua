-- keyboard: what goes below a message, or in place of the keys.

local native = ...

local ipairs, math_type, next, pairs, tostring, type = ipairs, math.type, next, pairs, tostring, type
local check_options, fail, set = native.check_options, native.fail, native.set

local keyboard = {}

local STYLES = { primary = "bg_primary", danger = "bg_danger", success = "bg_success" }
local MAX_DATA = 64

local function style_of(where, button)
  local style, icon = button.style, button.icon
  if style == nil and icon == nil then
    return nil
  end
  local made = { _ = "keyboardButtonStyle", icon = icon }
  if style ~= nil then
    local flag = STYLES[style]
    if not flag then
      fail(where .. ': style is "primary", "danger" or "success", got ' .. tostring(style))
    end
    made[flag] = true
  end
  if icon ~= nil and math_type(icon) ~= "integer" then
    fail(where .. ": icon is the id of a custom emoji, got " .. type(icon))
  end
  return made
end

local function text_of(where, button)
  if type(button.text) ~= "string" or button.text == "" then
    fail(where .. ": text is missing: what the button says")
  end
  return button.text
end

-- Checks that a field is a string that is not empty.
local function string_of(where, name, value)
  if type(value) ~= "string" or value == "" then
    fail(where .. ": " .. name .. " is a string, got " .. (value == "" and "an empty one" or type(value)))
  end
  return value
end

local function fields_of(where, what, value, known)
  if type(value) == "string" then
    return { url = value }
  end
  if type(value) ~= "table" then
    fail(where .. ": " .. what .. " is a URL, or a table with url, got " .. type(value))
  end
  return check_options(where .. ": " .. what, value, known)
end

local function switch(same_peer)
  return function(where, query)
    if type(query) ~= "string" then
      fail(where .. ": the query is a string, empty for none, got " .. type(query))
    end
    return { _ = "inlineButtonTypeSwitchInline", same_peer = same_peer, query = query }
  end
end

local LOGIN = set("url", "forward_text", "bot", "request_write_access")

-- What an inline button does, by the field that says it.
local INLINE = {
  data = function(where, data)
    string_of(where, "data", data)
    if #data > MAX_DATA then
      fail(where .. ": data has " .. #data .. " bytes, and Telegram takes at most " .. MAX_DATA)
    end
    return { _ = "inlineButtonTypeCallback", data = data }
  end,
  url = function(where, url)
    return { _ = "inlineButtonTypeUrl", url = string_of(where, "url", url) }
  end,
  web_app = function(where, url)
    return { _ = "inlineButtonTypeWebView", url = string_of(where, "web_app", url) }
  end,
  login_url = function(where, login)
    login = fields_of(where, "login_url", login, LOGIN)
    return {
      _ = "inputInlineButtonTypeUrlAuth",
      url = string_of(where, "login_url.url", login.url),
      fwd_text = login.forward_text,
      bot = login.bot,
      request_write_access = login.request_write_access,
    }
  end,
  switch_inline = switch(nil),
  switch_inline_here = switch(true),
  copy = function(where, text)
    return { _ = "inlineButtonTypeCopy", copy_text = string_of(where, "copy", text) }
  end,
  user_id = function(_, user)
    return { _ = "inputInlineButtonTypeUserProfile", user_id = user }
  end,
  game = function()
    return { _ = "inlineButtonTypeGame" }
  end,
  pay = function()
    return { _ = "inlineButtonTypeBuy" }
  end,
}

local INLINE_FIELDS = set("text", "style", "icon")
for name in pairs(INLINE) do
  INLINE_FIELDS[name] = true
end

local function inline_button(where, button)
  if type(button) ~= "table" then
    fail(where .. " is a table like {text = \"Yes\", data = \"y\"}, got " .. type(button))
  end
  check_options(where, button, INLINE_FIELDS)
  local kind, doing
  for name, make in pairs(INLINE) do
    local value = button[name]
    if value ~= nil and value ~= false then
      if kind then
        fail(where .. ": a button does one thing, and this has both " .. kind .. " and " .. name)
      end
      kind, doing = name, make(where, value)
    end
  end
  if not kind then
    fail(where .. " does nothing: it needs data, url, or another of what a button can do")
  end
  return {
    _ = "keyboardInlineButton",
    text = text_of(where, button),
    style = style_of(where, button),
    type = doing,
  }
end

local PEER_TYPES = { user = "requestPeerTypeUser", chat = "requestPeerTypeChat", channel = "requestPeerTypeBroadcast" }
local REPLY_FIELDS = set("text", "style", "icon", "request", "web_app", "id", "max")

local function reply_type(where, button)
  local request = button.request
  if button.web_app ~= nil then
    if request ~= nil then
      fail(where .. ": a button does one thing, and this has both request and web_app")
    end
    return { _ = "buttonTypeSimpleWebView", url = string_of(where, "web_app", button.web_app) }
  elseif request == nil then
    return { _ = "buttonTypeDefault" }
  elseif request == "contact" then
    return { _ = "buttonTypeRequestPhone" }
  elseif request == "location" then
    return { _ = "buttonTypeRequestGeoLocation" }
  elseif request == "poll" then
    return { _ = "buttonTypeRequestPoll" }
  elseif request == "quiz" then
    return { _ = "buttonTypeRequestPoll", quiz = true }
  elseif PEER_TYPES[request] then
    return {
      _ = "inputButtonTypeRequestPeer",
      button_id = button.id or 1,
      max_quantity = button.max or 1,
      peer_type = { _ = PEER_TYPES[request] },
    }
  end
  fail(
    where
      .. ': request is "contact", "location", "poll", "quiz", "user", "chat" or "channel", got '
      .. tostring(request)
  )
end

local function reply_button(where, button)
  if type(button) == "string" then
    button = { text = button }
  elseif type(button) ~= "table" then
    fail(where .. " is a text, or a table like {text = \"My number\", request = \"contact\"}, got " .. type(button))
  end
  check_options(where, button, REPLY_FIELDS)
  return {
    _ = "keyboardButton",
    text = text_of(where, button),
    style = style_of(where, button),
    type = reply_type(where, button),
  }
end

-- A list of rows of buttons, with the place of each for messages.
local function rows_of(what, rows, constructor, make)
  if type(rows) ~= "table" or (#rows == 0 and next(rows) ~= nil) then
    fail(what .. " expects a list of rows, each a list of buttons")
  end
  local made = {}
  for y, row in ipairs(rows) do
    if type(row) ~= "table" or #row == 0 then
      local hint = type(row) ~= "table" or row.text ~= nil
      fail(
        what
          .. ": row "
          .. y
          .. (hint and " is a button: a row is a list of them, so put { } around it" or " has no buttons")
      )
    end
    local buttons = {}
    for x, button in ipairs(row) do
      buttons[x] = make(what .. ": button " .. x .. " of row " .. y, button)
    end
    made[y] = { _ = constructor, buttons = buttons }
  end
  return made
end

-- Buttons below the message.
function keyboard.inline(rows)
  return {
    _ = "replyInlineMarkup",
    rows = rows_of("keyboard.inline", rows, "keyboardInlineButtonRow", inline_button),
  }
end

local REPLY = set("resize", "one_time", "placeholder", "selective", "persistent")

-- Keys in place of the letters.
function keyboard.reply(rows, options)
  options = check_options("keyboard.reply", options, REPLY)
  return {
    _ = "replyKeyboardMarkup",
    rows = rows_of("keyboard.reply", rows, "keyboardButtonRow", reply_button),
    resize = options.resize,
    single_use = options.one_time,
    placeholder = options.placeholder,
    selective = options.selective,
    persistent = options.persistent,
  }
end

local REMOVE, FORCE = set("selective"), set("placeholder", "selective")

-- Takes a reply keyboard away.
function keyboard.remove(options)
  options = check_options("keyboard.remove", options, REMOVE)
  return { _ = "replyKeyboardHide", selective = options.selective }
end

-- Opens the input field as if the person had chosen to reply.
function keyboard.force_reply(options)
  options = check_options("keyboard.force_reply", options, FORCE)
  return {
    _ = "replyKeyboardForceReply",
    single_use = true,
    placeholder = options.placeholder,
    selective = options.selective,
  }
end

return keyboard

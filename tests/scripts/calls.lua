-- What is wrong with a call is told before anything is sent, with the line of the script; a call without a connection fails.
local state = script.state
state.wrong = {}

local function wrong(fn, ...)
  local ok, err = pcall(fn, ...)
  assert(not ok)
  table.insert(state.wrong, (tostring(err):gsub("^calls.lua:%d+: ", "at a line: ")))
end

tg.on_message(function(message)
  wrong(tg.invoke, "messages.sendMesage", {})
  wrong(tg.invoke, "messages.sendMessage", { peer = 7, message = 5 })
  wrong(tg.invoke, "messages.sendMessage", { peer = 7 })
  wrong(tg.invoke, "messages.sendMessage", { peer = 7, message = "x", mesage = "y" })
  wrong(tg.invoke, "messages.sendMessage", { peer = 7, message = "x", reply_to = { _ = "inputReplyToMesage" } })
  wrong(tg.invoke, "messages.sendMessage", { peer = 7, message = "x", reply_to = { _ = "peerUser" } })
  wrong(tg.invoke, "messages.deleteMessages", { id = { 1, "2" } })
  wrong(tg.invoke, "channels.deleteMessages", { channel = 7, id = { 1 } })
  wrong(tg.invoke, "auth.logOut")
  wrong(tg.invoke, "invokeWithLayer", { layer = 1, query = { _ = "auth.logOut" } })
  wrong(tg.invoke, "account.updateProfile", {})
  wrong(tg.invoke, 5)
  wrong(tg.send_message, message.chat, nil)
  wrong(tg.send_message, message.chat, "x", { parse_mod = "html" })
  local ok, err = tg.try(message.reply, message, "hi")
  state.closed = { ok, err.name, err.method, err:is("CLOSED"), tg.is(err, "CLO*"), err:is("FLOOD_WAIT") }
  local text = tostring(err)
  state.place = text:match("^calls.lua:%d+: ") ~= nil
  -- Each way to name a chat gets as far as the connection.
  local function reaches(chat)
    local _, err = tg.try(tg.send_message, chat, "x")
    return err.name
  end
  state.ways = { reaches(message.chat), reaches(message.from_user), reaches(7), reaches("@alice"), reaches("me"), reaches("@nobody") }
end)

--! private 7 Alice: go
--! expect closed: [false, "CLOSED", "messages.sendMessage", true, true, false]
--! expect place: true
--! expect ways: ["CLOSED", "CLOSED", "CLOSED", "CLOSED", "CLOSED", "CLOSED"]
--! expect wrong: ["at a line: there is no method messages.sendMesage; did you mean messages.sendMessage?", "at a line: messages.sendMessage.message: a string expected, got integer", "at a line: messages.sendMessage: message is missing (a string)", "at a line: messages.sendMessage: there is no field mesage; did you mean message?", "at a line: messages.sendMessage.reply_to: there is no constructor inputReplyToMesage; did you mean inputReplyToMessage?", "at a line: messages.sendMessage.reply_to: InputReplyTo expected, got peerUser", "at a line: messages.deleteMessages.id[2]: an integer expected, got string", "at a line: channels.deleteMessages.channel: a channel or supergroup is expected here", "at a line: auth.logOut cannot be called by scripts", "at a line: invokeWithLayer cannot be called by scripts", "at a line: account.updateProfile needs a grant: allow = [\"method:account.updateProfile\"] in moongram.toml", "at a line: a method's name is expected, got number", "at a line: tg.send_message expects a text, got nil", "at a line: tg.send_message: there is no option parse_mod; did you mean parse_mode?"]

-- /echo TEXT sends TEXT back; an edited /echo changes the answer, too.

-- Which answer belongs to which message. script.state survives a reload of this file.
script.state.answers = script.state.answers or {}
local answers = script.state.answers

local function text_of(message)
  return message.text:match("^/echo%S*%s+(.+)$") or "What shall I say? Write /echo and then your text."
end

local function key(message)
  return message.chat.id .. ":" .. message.id
end

tg.command("echo", "Repeat a text", function(message)
  local answer = message:reply(text_of(message), { parse_mode = "none" })
  answers[key(message)] = answer.id
end)

tg.on_edited_message(filters.command("echo"), function(message)
  local answer = answers[key(message)]
  if answer then
    tg.edit_message_text(message.chat.id, answer, text_of(message), { parse_mode = "none" })
  end
end)

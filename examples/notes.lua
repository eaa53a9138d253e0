-- A notebook for each chat: /note TEXT writes down, /notes reads out, /forget empties it after a question.
-- script.state is a table that survives a reload of this file.

script.state.notes = script.state.notes or {}
local notes = script.state.notes

local function notes_of(chat)
  notes[chat.id] = notes[chat.id] or {}
  return notes[chat.id]
end

tg.command("note", "Write something down", function(message, ...)
  local text = table.concat({ ... }, " ")
  if text == "" then
    return message:reply("Write /note and then what to remember.")
  end
  local list = notes_of(message.chat)
  list[#list + 1] = text
  message:reply(("Noted, as number %d."):format(#list))
end)

tg.command("notes", "Read the notes out", function(message)
  local lines = {}
  for number, text in ipairs(notes_of(message.chat)) do
    lines[number] = ("%d. %s"):format(number, text)
  end
  message:reply(#lines > 0 and table.concat(lines, "\n") or "Nothing is noted here.", { parse_mode = "none" })
end)

-- ask waits for the next message of the person asked; other chats, and this one, go on meanwhile.
tg.command("forget", "Empty the notebook", function(message)
  local answer = message:ask("Forget everything? Answer yes or no.", filters.text, 60)
  if answer and answer.text:lower() == "yes" then
    notes[message.chat.id] = nil
    answer:reply("Forgotten.")
  elseif answer then
    answer:reply("The notes stay.")
  end
end)

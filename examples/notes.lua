-- A notebook for each chat: /note TEXT writes down, /notes reads out, /forget empties it after a question.
-- store keeps values by key on the disk: the notes survive a reload of this file, and a restart.

local function key_of(chat)
  return "notes:" .. chat.id
end

tg.command("note", "Write something down", function(message, ...)
  local text = table.concat({ ... }, " ")
  if text == "" then
    return message:reply("Write /note and then what to remember.")
  end
  -- Nothing comes between the reading and the writing of an update, whoever else writes at the same time.
  local list = store.update(key_of(message.chat), function(list)
    list = list or {}
    list[#list + 1] = text
    return list
  end)
  message:reply(("Noted, as number %d."):format(#list))
end)

tg.command("notes", "Read the notes out", function(message)
  local lines = {}
  for number, text in ipairs(store.get(key_of(message.chat), {})) do
    lines[number] = ("%d. %s"):format(number, text)
  end
  message:reply(#lines > 0 and table.concat(lines, "\n") or "Nothing is noted here.", { parse_mode = "none" })
end)

-- ask waits for the next message of the person asked; other chats, and this one, go on meanwhile.
tg.command("forget", "Empty the notebook", function(message)
  local answer = message:ask("Forget everything? Answer yes or no.", filters.text, 60)
  if answer and answer.text:lower() == "yes" then
    store.delete(key_of(message.chat))
    answer:reply("Forgotten.")
  elseif answer then
    answer:reply("The notes stay.")
  end
end)

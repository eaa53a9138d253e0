-- Deletes messages that hold a word of the list, in groups, also when the word comes in by an edit.
-- The words can be set in moongram.toml:   [script.moderator]  config = { words = ["spam"] }

local words = script.config.words or { "spam", "scam" }

local function is_unwanted(message)
  local text = message.text and message.text:lower() or ""
  for _, word in ipairs(words) do
    if text:find(word, 1, true) then
      return true
    end
  end
  return false
end

-- A filter of our own, composed with the ready ones. ~ is "not".
local unwanted = filters.group & filters.text & ~filters.outgoing & filters.create(is_unwanted)

local function remove(message)
  log.info("message %d of %s in %d is deleted", message.id, message.from_user.first_name, message.chat.id)
  message:delete()
end

tg.on_message(unwanted, remove)
tg.on_edited_message(unwanted, remove)

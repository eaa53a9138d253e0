-- The other events: edits, deletions, buttons, raw updates.
local state = script.state
state.raw = {}

tg.on_edited_message(filters.text, function(message)
  state.edited = { message.id, message.text, message.edit_date }
end)

tg.on_deleted_messages(function(messages)
  state.deleted = { #messages, messages[1].id, messages[2].id }
end)

tg.on_callback_query(filters.callback_data("^vote:") & filters.regex(":(.)$"), function(query)
  state.pressed = { query.matches[1], query.data, query.from_user.first_name, query.message.id, query.message.chat.id }
end)

tg.on_raw_update(function(update)
  table.insert(state.raw, update._)
end, { group = 1 })

--! edit 7 Alice 3: new
--! expect edited: [3, "new", 1700000001]
--! delete 3 4
--! expect deleted: [2, 3, 4]
--! button 7 Alice 3: vote:5
--! expect pressed: ["5", "vote:5", "Alice", 3, 7]
--! button 7 Alice 3: other
--! expect raw: ["updateEditMessage", "updateDeleteMessages", "updateBotCallbackQuery", "updateBotCallbackQuery"]

-- keyboard: tables for reply_markup, and mistakes that are told with their place.
local state = script.state

local function fails(expected, fn, ...)
  local ok, err = pcall(fn, ...)
  assert(not ok and tostring(err):find(expected, 1, true), tostring(err))
end

state.inline = keyboard.inline({
  { { text = "Yes", data = "y", style = "success" }, { text = "Site", url = "https://example.org" } },
  { { text = "Copy", copy = "code" }, { text = "Here", switch_inline_here = "" } },
})
state.reply = keyboard.reply({ { "A", "B" }, { { text = "Me", request = "contact" } } }, { resize = true, one_time = true })
state.remove, state.force = keyboard.remove(), keyboard.force_reply({ placeholder = "Name?" })

local inline = keyboard.inline
fails("keyboard.lua:18: keyboard.inline: row 1 is a button: a row is a list of them", function()
  local _ = inline({ { text = "Yes", data = "y" } })
end)
fails("button 1 of row 1 does nothing: it needs data, url", inline, { { { text = "x" } } })
fails("a button does one thing", inline, { { { text = "x", data = "x", url = "x" } } })
fails("there is no option dta; did you mean data?", inline, { { { text = "x", dta = "x" } } })
fails("data has 65 bytes, and Telegram takes at most 64", inline, { { { text = "x", data = ("x"):rep(65) } } })
fails("button 2 of row 1: text is missing", inline, { { { text = "x", pay = true }, { data = "x" } } })
fails('style is "primary", "danger" or "success", got red', inline, { { { text = "x", data = "x", style = "red" } } })
fails("row 1 has no buttons", inline, { {} })
fails("expects a list of rows", inline, "x")
fails('request is "contact"', keyboard.reply, { { { text = "x", request = "phone" } } })
fails("there is no option one_tim; did you mean one_time?", keyboard.reply, { { "x" } }, { one_tim = true })

-- Each kind is an object of the schema: the call fails for want of a connection, not of a field.
tg.on_message(function(message)
  local kinds = {
    { text = "x", data = "x" }, { text = "x", url = "https://x.org" }, { text = "x", web_app = "https://x.org" },
    { text = "x", login_url = "https://x.org" }, { text = "x", switch_inline = "q" },
    { text = "x", copy = "x" }, { text = "x", user_id = message.from_user }, { text = "x", game = true },
    { text = "x", pay = true, icon = 5 },
  }
  local markups = { keyboard.remove(), keyboard.force_reply(), keyboard.reply({
    { "x", { text = "x", request = "location" }, { text = "x", request = "poll" }, { text = "x", request = "quiz" } },
    { { text = "x", request = "user", id = 7 }, { text = "x", request = "chat" }, { text = "x", request = "channel" } },
    { { text = "x", web_app = "https://x.org", style = "danger" } },
  }, { placeholder = "x", selective = true, persistent = true }) }
  for _, button in ipairs(kinds) do
    markups[#markups + 1] = inline({ { button } })
  end
  state.names = {}
  for i, markup in ipairs(markups) do
    local _, err = tg.try(tg.send_message, message.chat, "x", { reply_markup = markup })
    state.names[i] = err.name == "CLOSED" and "CLOSED" or tostring(err)
  end
end)

--! private 7 Alice: hello
--! expect names: ["CLOSED","CLOSED","CLOSED","CLOSED","CLOSED","CLOSED","CLOSED","CLOSED","CLOSED","CLOSED","CLOSED","CLOSED"]
--! expect remove: {"_": "replyKeyboardHide"}
--! expect force: {"_": "replyKeyboardForceReply", "single_use": true, "placeholder": "Name?"}
--! expect reply: {"_":"replyKeyboardMarkup","resize":true,"single_use":true,"rows":[{"_":"keyboardButtonRow","buttons":[{"_":"keyboardButton","text":"A","type":{"_":"buttonTypeDefault"}},{"_":"keyboardButton","text":"B","type":{"_":"buttonTypeDefault"}}]},{"_":"keyboardButtonRow","buttons":[{"_":"keyboardButton","text":"Me","type":{"_":"buttonTypeRequestPhone"}}]}]}
--! expect inline: {"_":"replyInlineMarkup","rows":[{"_":"keyboardInlineButtonRow","buttons":[{"_":"keyboardInlineButton","text":"Yes","style":{"_":"keyboardButtonStyle","bg_success":true},"type":{"_":"inlineButtonTypeCallback","data":"y"}},{"_":"keyboardInlineButton","text":"Site","type":{"_":"inlineButtonTypeUrl","url":"https://example.org"}}]},{"_":"keyboardInlineButtonRow","buttons":[{"_":"keyboardInlineButton","text":"Copy","type":{"_":"inlineButtonTypeCopy","copy_text":"code"}},{"_":"keyboardInlineButton","text":"Here","type":{"_":"inlineButtonTypeSwitchInline","same_peer":true,"query":""}}]}]}

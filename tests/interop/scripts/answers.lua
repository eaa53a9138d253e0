-- What the clients of others write to in the interop suites: a greeting, an echo, a keyboard.

tg.command("start", "Say hello", filters.private, function(message)
  message:answer("Hello, " .. message.from_user.first_name .. "!", { parse_mode = "none" })
end)

tg.command("echo", "Repeat a text", function(message)
  message:reply(message.text:match("^/echo%S*%s+(.+)$") or "?", { parse_mode = "none" })
end)

local function button(text, kind)
  return { _ = "keyboardInlineButton", text = text, type = kind }
end

tg.command("menu", "Show a keyboard", filters.private, function(message)
  local more = button("More", { _ = "inlineButtonTypeCallback", data = "more" })
  local site = button("Site", { _ = "inlineButtonTypeUrl", url = "https://example.com/" })
  local off = button("Off", { _ = "inlineButtonTypeDisabled" })
  message:answer("Choose", {
    parse_mode = "none",
    reply_markup = {
      _ = "replyInlineMarkup",
      rows = {
        { _ = "keyboardInlineButtonRow", buttons = { more, site } },
        { _ = "keyboardInlineButtonRow", buttons = { off } },
      },
    },
  })
end)

tg.on_callback_query(filters.callback_data("^more$"), function(query)
  query:answer("more it is", { alert = true })
  tg.edit_message_text(query.message.chat.id, query.message.id, "Chosen", { parse_mode = "none" })
end)

-- expect: metatables are closed
-- No object of the host gives its metatable away, or takes another.
tg.command("go", function(message)
  for _, object in ipairs({ message, message.chat, message.from_user, tg, tg.api, tg.api.messages, filters, filters.text, tg.me,
    timer.after(1000, print), tg.on_message(print), select(2, tg.try(error, "x")) }) do
    if type(getmetatable(object)) == "table" or pcall(setmetatable, object, {}) then message:answer("ESCAPED") end
    local index = object ~= tg and object ~= tg.api and rawget(object, "__index")
    if index then message:answer("ESCAPED") end
  end
  error("metatables are closed")
end)

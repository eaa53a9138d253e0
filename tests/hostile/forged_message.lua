-- expect: forged_message.lua:
-- The bytes that a message is decoded from are replaced.
tg.command("go", function(message)
  rawset(message, "\0bundle", ("\255"):rep(100))
  rawset(message, "\0peers", ("\1"):rep(100))
  rawset(message, "\0how", 1 << 62)
  for _, key in ipairs({ "text", "chat", "entities", "media", "command", "matches", "raw", "link" }) do
    rawset(message, key, nil)
    pcall(function() return message[key] end)
  end
  error("nothing was read")
end)

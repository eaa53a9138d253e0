-- The first script: change the greeting, save, and say /start again.
-- tg.md escapes what it puts in, so that a name with a * in it stays a name.

tg.command("start", "Say hello", filters.private, function(message)
  message:answer(tg.md("Hello, %s!", message.from_user.first_name))
end)

-- Any method of Telegram's API can be called by its own name: https://core.telegram.org/methods
-- What Telegram refuses is raised as an error with code, name and value; tg.try catches it.

tg.command("whoami", "What Telegram knows about you", function(message)
  local ok, result = tg.try(tg.api.users.getFullUser, { id = message.from_user.id })
  if not ok then
    return message:reply(("Telegram says %s (%d)."):format(result.name, result.code))
  end
  local user = result.users[1]
  message:reply(tg.md("You are **%s**, number `%d`.", user.first_name, user.id))
end)

-- Every update can be seen as it came, before it became a message.
tg.on_raw_update(function(update)
  log.debug("update %s", update._)
end)

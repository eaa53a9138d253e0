-- expect: session_by_api.lua:
-- The auth key, by way of Telegram.
tg.command("go", function(message)
  for _, name in ipairs({ "auth.exportAuthorization", "auth.bindTempAuthKey", "auth.importBotAuthorization", "auth.exportLoginToken" }) do
    if pcall(tg.invoke, name, {}) then message:answer("ESCAPED " .. name) end
  end
  tg.api.auth.exportAuthorization{ dc_id = 2 }
end)

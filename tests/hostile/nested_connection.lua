-- expect: initConnection cannot be called by scripts
-- The account under another name.
tg.command("go", function(message)
  tg.invoke("initConnection", { api_id = 1, device_model = "x", system_version = "x", app_version = "x", system_lang_code = "x", lang_pack = "", lang_code = "x", query = { _ = "auth.logOut" } })
  message:answer("ESCAPED")
end)

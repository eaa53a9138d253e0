-- expect: needs a grant
tg.command("go", function(message)
  local ok = pcall(http.get, "http://127.0.0.1:9/", { to = "../../moongram.toml" })
  if ok then message:answer("ESCAPED") end
  http.get("http://127.0.0.1:9/", { to = "../../moongram.toml" })
end)

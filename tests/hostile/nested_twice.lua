-- expect: invokeWithLayer cannot be called by scripts
-- A query in a query, and a harmless one.
tg.command("go", function(message)
  if pcall(tg.invoke, "invokeAfterMsg", { msg_id = 1, query = { _ = "invokeWithLayer", layer = 1, query = { _ = "auth.logOut" } } }) then message:answer("ESCAPED") end
  tg.invoke("invokeWithLayer", { layer = 1, query = { _ = "users.getUsers", id = {} } })
  message:answer("ESCAPED")
end)

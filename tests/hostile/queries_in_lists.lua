-- expect: there is no constructor auth.logOut
-- A query where an object or a list is expected.
tg.command("go", function(message)
  if pcall(tg.invoke, "users.getUsers", { id = { { _ = "auth.logOut" } } }) then message:answer("ESCAPED") end
  tg.invoke("messages.sendMessage", { peer = { _ = "auth.logOut" }, message = "x" })
  message:answer("ESCAPED")
end)

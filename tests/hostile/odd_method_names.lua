-- expect: there is no method
-- Names that are almost one.
tg.command("go", function(message)
  if pcall(tg.invoke, "AUTH.LOGOUT", {}) then message:answer("ESCAPED") end
  if pcall(tg.invoke, "auth.logout", {}) then message:answer("ESCAPED") end
  if pcall(tg.invoke, " auth.logOut", {}) then message:answer("ESCAPED") end
  if pcall(tg.invoke, "auth.logOut\0", {}) then message:answer("ESCAPED") end
  if pcall(tg.invoke, "auth.logOut.", {}) then message:answer("ESCAPED") end
  tg.invoke("Auth.LogOut", {})
  message:answer("ESCAPED")
end)

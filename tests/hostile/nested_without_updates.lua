-- expect: invokeWithoutUpdates cannot be called by scripts
-- A query whose updates are not wanted.
tg.command("go", function(message)
  tg.invoke("invokeWithoutUpdates", { query = { _ = "auth.logOut" } })
  message:answer("ESCAPED")
end)

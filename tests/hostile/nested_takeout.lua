-- expect: invokeWithTakeout cannot be called by scripts
-- A query within an export.
tg.command("go", function(message)
  tg.invoke("invokeWithTakeout", { takeout_id = 1, query = { _ = "auth.logOut" } })
  message:answer("ESCAPED")
end)

-- expect: invokeAfterMsg cannot be called by scripts
-- A query that waits for another.
tg.command("go", function(message)
  tg.invoke("invokeAfterMsg", { msg_id = 1, query = { _ = "auth.logOut" } })
  message:answer("ESCAPED")
end)

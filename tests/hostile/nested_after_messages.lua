-- expect: invokeAfterMsgs cannot be called by scripts
-- A query that waits for others.
tg.command("go", function(message)
  tg.invoke("invokeAfterMsgs", { msg_ids = { 1 }, query = { _ = "auth.logOut" } })
  message:answer("ESCAPED")
end)

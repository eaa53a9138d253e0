-- expect: invokeWithMessagesRange cannot be called by scripts
-- A query over a range of messages.
tg.command("go", function(message)
  tg.invoke("invokeWithMessagesRange", { range = { min_id = 1, max_id = 2 }, query = { _ = "auth.logOut" } })
  message:answer("ESCAPED")
end)

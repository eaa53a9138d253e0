-- expect: allow = ["method:updates.getDifference"]
-- The updates as the server has them, past what is withheld.
tg.command("go", function(message)
  if pcall(tg.invoke, "updates.getState", {}) then message:answer("ESCAPED") end
  tg.invoke("updates.getDifference", { pts = 1, date = 1, qts = 1 })
  message:answer("ESCAPED")
end)

-- expect: allow = ["method:payments.sendStarsForm"]
-- Money, bots and chats that would be gone need one.
tg.command("go", function(message)
  if pcall(tg.invoke, "payments.sendPaymentForm", { form_id = 1, invoice = {}, credentials = {} }) then message:answer("ESCAPED") end
  if pcall(tg.invoke, "bots.exportBotToken", {}) then message:answer("ESCAPED") end
  if pcall(tg.invoke, "bots.createBot", {}) then message:answer("ESCAPED") end
  if pcall(tg.invoke, "channels.editCreator", {}) then message:answer("ESCAPED") end
  if pcall(tg.invoke, "messages.acceptUrlAuth", {}) then message:answer("ESCAPED") end
  tg.invoke("payments.sendStarsForm", {})
  message:answer("ESCAPED")
end)

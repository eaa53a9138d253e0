-- expect: allow = ["method:account.updateProfile"]
-- What is the account's own needs a grant.
tg.command("go", function(message)
  if pcall(tg.invoke, "account.getPassword", {}) then message:answer("ESCAPED") end
  if pcall(tg.invoke, "account.getAuthorizations", {}) then message:answer("ESCAPED") end
  if pcall(tg.invoke, "account.resetAuthorization", { hash = 1 }) then message:answer("ESCAPED") end
  tg.invoke("account.updateProfile", { first_name = "x" })
  message:answer("ESCAPED")
end)

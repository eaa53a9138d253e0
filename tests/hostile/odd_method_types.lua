-- expect: expected in a table
-- What is no name.
tg.command("go", function(message)
  if pcall(tg.invoke, 1, {}) then message:answer("ESCAPED") end
  if pcall(tg.invoke, true, {}) then message:answer("ESCAPED") end
  if pcall(tg.invoke, {}, {}) then message:answer("ESCAPED") end
  if pcall(tg.invoke, nil, {}) then message:answer("ESCAPED") end
  if pcall(tg.invoke, setmetatable({}, { __tostring = function() return "auth.logOut" end }), {}) then message:answer("ESCAPED") end
  tg.invoke("users.getUsers", "id")
  message:answer("ESCAPED")
end)

-- expect: hash_forever.lua:4: stopped
tg.command("go", function(message)
  local text = ("x"):rep(1000000)
  while true do pcall(crypto.sha512, text) end
end)

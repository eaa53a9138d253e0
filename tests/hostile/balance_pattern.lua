-- expect: balance_pattern.lua:
local open = ("("):rep(1000000)
tg.command("go", function(message)
  return open:find("%b()")
end)

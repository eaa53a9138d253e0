-- expect: utf8_flood.lua:
local long = ("ä"):rep(1000000)
tg.command("go", function(message)
  while true do utf8.len(long) utf8.offset(long, 900000) end
end)

-- expect: string_format_flood.lua:
local long = ("x"):rep(1000000)
tg.command("go", function(message)
  while true do string.format("%.10s%q", long, long) end
end)

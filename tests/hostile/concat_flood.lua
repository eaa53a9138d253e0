-- expect: concat_flood.lua:
-- Few instructions, each of which copies megabytes.
local long = ("x"):rep(4000000)
tg.command("go", function(message)
  while true do local _ = long .. "y" end
end)

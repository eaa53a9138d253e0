-- expect: handler_flood_of_commands.lua:
-- Each with a name of its own, and gone again.
tg.command("go", function(message)
  for i = 1, math.huge do tg.command("x" .. i .. ("y"):rep(10000), "what it does", function() end):remove() end
end)

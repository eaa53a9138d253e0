-- expect: hoarder.lua:
-- Fills its memory for good, so that nothing is left for the next handler.
hoard = {}
tg.command("go", function(message)
  for i = 1, math.huge do hoard[i] = { i } end
end)
tg.on_message(function() end, { group = 1 })

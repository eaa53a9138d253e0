-- expect: wrapped_memory_bomb.lua:4: not enough memory
-- In a coroutine of the script's own; the line is still known.
local function bomb() local all = {}
  for i = 1, math.huge do all[i] = { i } end
end
tg.command("go", function(message)
  coroutine.wrap(bomb)()
end)

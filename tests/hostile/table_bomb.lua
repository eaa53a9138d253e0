-- expect: table_bomb.lua
tg.command("go", function(message)
  local all = {}
  for i = 1, math.huge do all[i] = { i } end
end)

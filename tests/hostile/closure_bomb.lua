-- expect: closure_bomb.lua:4: not enough memory: stopped (handler of closure_bomb.lua:2)
tg.command("go", function(message)
  local all = {}
  for i = 1, math.huge do all[i] = function() return i end end
end)

-- expect: endless_float_loop.lua:3: stopped
tg.command("go", function(message)
  for i = 0.1, math.huge, 1e-9 do end
end)

-- expect: endless_numeric_loop.lua:3: stopped
tg.command("go", function(message)
  for _ = math.mininteger, math.maxinteger do end
end)

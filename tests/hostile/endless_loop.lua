-- expect: endless_loop.lua:3: stopped
tg.command("go", function(message)
  while true do end
end)

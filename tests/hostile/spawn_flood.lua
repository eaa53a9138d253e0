-- expect: spawn_flood.lua:3: tg.spawn: 1000 handlers and tasks run already (limits.running)
tg.command("go", function(message)
  while true do tg.spawn(function() end) end
end)

-- expect: timer_flood.lua:3: timer.after: the script has 1000 timers already (limits.timers)
tg.command("go", function(message)
  while true do timer.after(1000, function() end) end
end)

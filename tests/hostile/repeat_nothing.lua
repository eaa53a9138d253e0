-- expect: repeat_nothing.lua:4: done
-- Lua's own takes its time for each of the nothings.
tg.command("go", function(message)
  error("done" .. (""):rep(1 << 60))
end)

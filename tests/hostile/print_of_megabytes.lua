-- expect: writes too much to the log
local long = ("x"):rep(1000000)
tg.command("go", function(message)
  for _ = 1, 100 do log.error(long) end
end)

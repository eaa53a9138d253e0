-- expect: writes too much to the log
-- Ever new tasks, each of which fails.
tg.command("go", function(message)
  for _ = 1, 900 do tg.spawn(function() error(("no "):rep(100)) end) end
end)

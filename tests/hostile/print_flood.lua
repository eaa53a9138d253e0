-- expect: writes too much to the log
tg.command("go", function(message)
  for i = 1, 20000 do print("line", i) end
end)

-- expect: it used more than 0.2 s of CPU time
tg.command("go", function(message)
  while true do pcall(error, "again") end
end)

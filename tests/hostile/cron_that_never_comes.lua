-- expect: names a time that never comes
tg.command("go", function(message)
  while true do timer.cron("0 0 31 2 *", print) end
end)

-- expect: no_dump.lua:
tg.command("go", function(message)
  message:answer("ESCAPED" .. #string.dump(print))
end)

-- expect: endless_goto.lua:3: stopped (handler of endless_goto.lua:2)
tg.command("go", function(message)
  ::again:: goto again
end)

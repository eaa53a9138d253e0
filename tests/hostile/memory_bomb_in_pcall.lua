-- expect: it used more than 0.2 s of CPU time
-- Caught, again and again.
tg.command("go", function(message)
  while true do pcall(function() local s = "x" while true do s = s .. s end end) end
end)

-- expect: backtracking_pattern_in_pcall.lua:4: stopped
local subject = ("a"):rep(5000)
tg.command("go", function(message)
  while true do pcall(string.match, subject, ("a-"):rep(20) .. "b") end
end)

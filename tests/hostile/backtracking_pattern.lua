-- expect: backtracking_pattern.lua:4: stopped (handler of backtracking_pattern.lua:3), it used more than 0.2 s
local subject = ("a"):rep(5000)
tg.command("go", function(message)
  return subject:find(("a-"):rep(20) .. "b")
end)

-- expect: backtracking_pattern.lua:4: CPU limit
local subject = ("a"):rep(5000)
tg.command("go", function(message)
  return subject:find(("a-"):rep(20) .. "b")
end)

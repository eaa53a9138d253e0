-- expect: gmatch_backtracking.lua:
local subject = ("a"):rep(5000)
tg.command("go", function(message)
  for _ in subject:gmatch(("a-"):rep(20) .. "b") do end
end)

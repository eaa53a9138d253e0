-- expect: it used more than 0.2 s of CPU time
local function spin() while true do end end
tg.command("go", function(message)
  while true do pcall(spin) end
end)

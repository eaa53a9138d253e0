-- expect: endless_xpcall_handler.lua
local function spin() while true do end end
tg.command("go", function(message)
  xpcall(spin, spin)
end)

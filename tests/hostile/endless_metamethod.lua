-- expect: endless_metamethod.lua
local trap = setmetatable({}, { __index = function() while true do end end })
tg.command("go", function(message)
  return trap.anything
end)

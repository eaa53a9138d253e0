-- expect: endless_tostring.lua
local loud = setmetatable({}, { __tostring = function() while true do end end })
tg.command("go", function(message)
  error(loud)
end)

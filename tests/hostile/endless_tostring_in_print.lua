-- expect: endless_tostring_in_print.lua:
-- print asks for a text that never comes.
local loud = setmetatable({}, { __tostring = function() while true do end end })
tg.command("go", function(message)
  while true do pcall(print, loud) end
end)

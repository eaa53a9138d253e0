-- expect: string_metatable.lua:4: 
tg.command("go", function(message)
  local meta = getmetatable("")
  meta.__index = function() while true do end end
  return ("x"):anything()
end)

-- expect: finalizer.lua:3: 
tg.command("go", function(message)
  setmetatable({}, { __gc = function() while true do end end })
end)

-- expect: endless_close.lua:3: stopped (handler of endless_close.lua:4)
-- A variable whose closing never ends.
local slow = setmetatable({}, { __close = function() while true do end end })
tg.command("go", function(message)
  local held <close> = slow
end)

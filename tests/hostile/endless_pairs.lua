-- expect: endless_pairs.lua:
-- An iterator that never ends, and a metamethod that gives it.
local endless = setmetatable({}, { __pairs = function() return function() return 1 end end })
tg.command("go", function(message)
  for _ in pairs(endless) do end
end)

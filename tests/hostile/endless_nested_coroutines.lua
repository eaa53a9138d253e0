-- expect: endless_nested_coroutines.lua:
-- A coroutine in a coroutine in a coroutine, each of which begins anew what was stopped.
local function nest(depth)
  while true do
    local inner = coroutine.wrap(depth > 0 and nest or function() while true do end end)
    pcall(inner, depth - 1)
  end
end
tg.command("go", function(message) nest(50) end)

-- expect: weak_keys.lua:
-- Entries of a weak table that keep each other alive, in an order that is bad for the collector.
tg.command("go", function(message)
  local weak = setmetatable({}, { __mode = "k" })
  while true do
    local key = {}
    for _ = 1, 3000 do
      local before = {}
      weak[before] = key
      key = before
    end
  end
end)

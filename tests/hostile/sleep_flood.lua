-- expect: tg.sleep: more
-- Waits that nobody waits for: a coroutine that waits is thrown away.
tg.command("go", function(message)
  for i = 1, math.huge do
    local held = setmetatable({}, { __tostring = function() tg.sleep(100000) return "" end })
    local ok, err = pcall(string.format, "%s", held)
    if not ok and tostring(err):find("limits.waiting", 1, true) then error("tg.sleep: more " .. tostring(err)) end
  end
end)

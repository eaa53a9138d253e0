-- expect: string_compare_flood.lua:
-- Two long strings that differ at their ends.
local a, b = ("x"):rep(4000000) .. "a", ("x"):rep(4000000) .. "b"
tg.command("go", function(message)
  local n = 0
  while true do if a < b then n = n + 1 end end
end)

-- expect: sort_comparator_errors.lua:
-- Orders that are none, with errors on the way.
local many = {}
for i = 1, 1000 do many[i] = i end
tg.command("go", function(message)
  while true do pcall(table.sort, many, function(a, b) if a == 500 then error("x") end return true end) end
end)

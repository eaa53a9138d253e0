-- expect: lying_sort_comparator.lua
local many = {}
for i = 1, 100000 do many[i] = i end
tg.command("go", function(message)
  while true do
    pcall(table.sort, many, function() return math.random() < 0.5 end)
  end
end)

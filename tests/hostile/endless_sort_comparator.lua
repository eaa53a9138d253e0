-- expect: endless_sort_comparator.lua
tg.command("go", function(message)
  table.sort({ 3, 1, 2 }, function() while true do end end)
end)

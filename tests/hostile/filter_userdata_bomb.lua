-- expect: filter_userdata_bomb.lua:
tg.command("go", function(message)
  local all = {}
  for i = 1, math.huge do all[i] = filters.create(function() end) end
end)

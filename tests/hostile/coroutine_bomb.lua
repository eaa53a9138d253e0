-- expect: coroutine_bomb.lua
tg.command("go", function(message)
  local all = {}
  while true do all[#all + 1] = coroutine.create(function() end) end
end)

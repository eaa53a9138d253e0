-- expect: table_remove_lying.lua:
local endless = setmetatable({}, { __len = function() return 1 << 60 end, __index = function() return 1 end, __newindex = function() end })
tg.command("go", function(message)
  while true do pcall(table.remove, endless, 1) end
end)

-- expect: table_concat_of_nothing.lua:
-- A table that is as long as it says, and empty strings.
local endless = setmetatable({}, { __len = function() return math.maxinteger end, __index = function() return "" end })
tg.command("go", function(message)
  table.concat(endless)
end)

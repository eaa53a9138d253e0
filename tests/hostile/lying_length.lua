-- expect: lying_length.lua:4: stopped
local endless = setmetatable({}, { __len = function() return 1 << 60 end })
tg.command("go", function(message)
  table.insert(endless, 1, "x")
end)

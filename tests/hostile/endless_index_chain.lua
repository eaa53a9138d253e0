-- expect: endless_index_chain.lua:
-- A long chain of __index tables, walked in C, over and over.
local bottom = {}
local top = bottom
for _ = 1, 1900 do top = setmetatable({}, { __index = top }) end
tg.command("go", function(message)
  while true do local _ = top.nothing end
end)

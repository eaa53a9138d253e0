-- expect: string_arithmetic_flood.lua:
-- Numbers are read out of strings of megabytes.
local blank = (" "):rep(1000000) .. "1"
tg.command("go", function(message)
  while true do pcall(function() return blank + 1 end) pcall(tonumber, blank) end
end)

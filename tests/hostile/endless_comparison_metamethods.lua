-- expect: endless_comparison_metamethods.lua:
-- Comparisons, concatenation, length, call and assignment.
local function spin() while true do end end
local trap = { __eq = spin, __lt = spin, __le = spin, __concat = spin, __len = spin, __call = spin, __newindex = spin }
local x, y = setmetatable({}, trap), setmetatable({}, trap)
tg.command("go", function(message)
  while true do
    pcall(function() return x == y end)
    pcall(function() return x < y end)
    pcall(function() return x <= y end)
    pcall(function() return x .. "z" end)
    pcall(function() return #x end)
    pcall(function() return x() end)
    pcall(function() x.field = 1 end)
  end
end)

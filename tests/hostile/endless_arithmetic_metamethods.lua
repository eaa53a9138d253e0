-- expect: endless_arithmetic_metamethods.lua:
-- Each operator of arithmetic and bits, one after the other, in pcall.
local function spin() while true do end end
local names = { "add", "sub", "mul", "div", "mod", "pow", "unm", "idiv", "band", "bor", "bxor", "shl", "shr", "bnot" }
local trap = {}
for _, name in ipairs(names) do trap["__" .. name] = spin end
local x = setmetatable({}, trap)
tg.command("go", function(message)
  while true do
    pcall(function() return x + 1 end)
    pcall(function() return x - 1 end)
    pcall(function() return x * 1 end)
    pcall(function() return x / 1 end)
    pcall(function() return x % 1 end)
    pcall(function() return x ^ 1 end)
    pcall(function() return -x end)
    pcall(function() return x // 1 end)
    pcall(function() return x & 1 end)
    pcall(function() return x | 1 end)
    pcall(function() return x ~ 1 end)
    pcall(function() return x << 1 end)
    pcall(function() return x >> 1 end)
    pcall(function() return ~x end)
  end
end)

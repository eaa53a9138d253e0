-- expect: deep_recursion.lua:2: not enough memory: stopped (handler of deep_recursion.lua:3)
local function down() return 1 + down() end
tg.command("go", function(message)
  down()
end)

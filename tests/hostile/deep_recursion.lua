-- expect: deep_recursion.lua: not enough memory
local function down() return 1 + down() end
tg.command("go", function(message)
  down()
end)

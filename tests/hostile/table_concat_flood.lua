-- expect: table_concat_flood.lua:
local many = {}
for i = 1, 50000 do many[i] = "xxxxxxxxxx" end
tg.command("go", function(message)
  while true do pcall(table.concat, many, ", ") end
end)

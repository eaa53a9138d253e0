-- expect: table_unpack_flood.lua:
local many = table.pack(table.unpack({}, 1, 200000))
tg.command("go", function(message)
  while true do pcall(table.unpack, many, 1, 200000) end
end)

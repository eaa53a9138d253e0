-- expect: string_pack_flood.lua:
local format = ("i1"):rep(100000)
tg.command("go", function(message)
  while true do pcall(string.packsize, format) pcall(string.unpack, format, "x") end
end)

-- expect: global_metatable.lua:
tg.command("go", function(message)
  if type(getmetatable(_G)) == "table" then message:answer("ESCAPED") end
  setmetatable(_G, {})
  message:answer("ESCAPED")
end)

-- expect: bytecode.lua:4: 
tg.command("go", function(message)
  local chunk = load("\27Lua", "x", "b")
  chunk()
end)

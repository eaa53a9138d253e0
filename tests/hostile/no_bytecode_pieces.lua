-- expect: no_bytecode_pieces.lua:
-- Bytecode in pieces, and under the name of text.
tg.command("go", function(message)
  local done = false
  local chunk = load(function() if done then return nil end done = true return "\27Lua\84\0\25\147\r\n\26\n" end, "x", "bt")
  if chunk then message:answer("ESCAPED") end
  assert(load("\27LuaT", "x", "t"))
end)

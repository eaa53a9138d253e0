-- expect: string_metatable.lua:
-- The metatable of all strings is nobody's.
tg.command("go", function(message)
  local meta = getmetatable("")
  if type(meta) == "table" then message:answer("ESCAPED") end
  error("metatables are closed")
end)

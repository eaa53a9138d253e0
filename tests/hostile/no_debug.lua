-- expect: no_debug.lua:
tg.command("go", function(message)
  for name in pairs(debug) do if name ~= "traceback" then message:answer("ESCAPED") end end
  debug.getupvalue(print, 1)
end)

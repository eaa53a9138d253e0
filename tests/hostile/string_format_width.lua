-- expect: string_format_width.lua:4: done
-- Widths of a hundred thousand are refused by Lua.
tg.command("go", function(message)
  assert(not pcall(string.format, "%99999d", 1)) assert(not pcall(string.format, ("%s"):rep(100000))) error("done")
end)

-- expect: filter_userdata.lua:4: done
-- The Rust value inside of a filter can be seen, and neither read nor changed.
tg.command("go", function(message)
  for key, value in next, filters.text do local m = getmetatable(value) if type(m) == "table" or pcall(function() return value.x end) then message:answer("ESCAPED") end end error("done")
end)

-- expect: require_of_odd_names.lua:4: done
-- Names that lead out, by dots, slashes, links and zeros.
tg.command("go", function(message)
  for _, name in ipairs({ "../neighbour", "..neighbour", "/etc/passwd", "lib/../neighbour", "C:\\x", "a\0b", "", ".", "neighbour.lua", "link", "linked.x" }) do if pcall(require, name) then message:answer("ESCAPED") end end error("done")
end)

-- expect: load_of_deep_source.lua:4: done
-- The parser's own recursion is bounded; what it refuses is an error, not a crash.
tg.command("go", function(message)
  for _, deep in ipairs({ "(", "{", "[", "- ", "not ", "function() ", "a.b(", "'x'..", "do ", "if x then " }) do assert(not load("return " .. deep:rep(100000))) end error("done")
end)

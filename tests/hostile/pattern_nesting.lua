-- expect: pattern_nesting.lua:4: done
-- Deep patterns are refused, not followed to the end of the stack.
tg.command("go", function(message)
  assert(not pcall(string.find, ("x"):rep(100000), ("(x"):rep(1000))) assert(not pcall(string.match, ("x"):rep(1000), ("x?"):rep(100000))) error("done")
end)

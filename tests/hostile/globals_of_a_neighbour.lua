-- expect: globals_of_a_neighbour.lua:4: done
-- The neighbour has a global and a state; both are its own.
tg.command("go", function(message)
  if rawget(_G, "secret_of_neighbour") or script.state.secret then message:answer("ESCAPED") end error("done")
end)

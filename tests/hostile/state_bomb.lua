-- expect: state_bomb.lua:4: done
-- What is carried over a reload is bounded, too; here only that the script goes on.
tg.command("go", function(message)
  local all = {} for _ = 1, 60 do all = { all, all } end script.state.all = all error("done")
end)

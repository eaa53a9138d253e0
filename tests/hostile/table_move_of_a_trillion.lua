-- expect: table_move_of_a_trillion.lua:3: stopped
tg.command("go", function(message)
  table.move({}, 1, 1 << 40, 2, {})
end)

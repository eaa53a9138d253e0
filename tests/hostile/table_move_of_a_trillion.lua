-- expect: CPU limit
tg.command("go", function(message)
  table.move({}, 1, 1 << 40, 2, {})
end)

-- expect: store.set: value takes more than 16 MiB
-- A hundred small tables that would be 2 to the 90 of them when they are written out.
tg.command("go", function(message)
  local tables = { ("x"):rep(1000) }
  for _ = 1, 90 do
    tables = { tables, tables }
  end
  store.set("key", tables)
  message:answer("ESCAPED")
end)

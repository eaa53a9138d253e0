-- expect: json_of_many_tables.lua:
tg.command("go", function(message)
  json.decode("[" .. ("[],"):rep(1500000) .. "0]")
end)

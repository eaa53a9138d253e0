-- expect: json_bomb.lua:
tg.command("go", function(message)
  local all = {}
  for _ = 1, 60 do all = { all, all } end
  json.encode(all)
end)

-- expect: not enough memory
tg.command("go", function(message)
  local all = {}
  for i = 1, 10000 do all[i] = filters.callback_data("\\w{9}" .. i) end
end)

-- expect: a filter is made of 10000 others at most, 200 deep
tg.command("go", function(message)
  local deep = filters.text
  while true do deep = ~deep end
end)

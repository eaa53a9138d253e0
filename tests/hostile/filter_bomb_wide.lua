-- expect: a filter is made of 10000 others at most
-- Twice as many with each step.
tg.command("go", function(message)
  local wide = filters.text
  for _ = 1, 100 do wide = wide & wide end
end)

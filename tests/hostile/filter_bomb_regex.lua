-- expect: not enough memory
-- Automata of a megabyte.
tg.command("go", function(message)
  local all = {}
  for i = 1, 10000 do all[i] = filters.regex("[a-z]{1,9}\\w{1,9}x" .. i) end
end)

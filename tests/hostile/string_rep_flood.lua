-- expect: string_rep_flood.lua:
tg.command("go", function(message)
  while true do local _ = ("x"):rep(4000000) end
end)

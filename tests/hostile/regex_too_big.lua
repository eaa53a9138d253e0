-- expect: regex_too_big.lua:3: 
tg.command("go", function(message)
  filters.regex("((a{100}){100}){100}")
end)

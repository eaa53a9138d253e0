-- expect: require_outside.lua:3: 
tg.command("go", function(message)
  require("..neighbour")
end)

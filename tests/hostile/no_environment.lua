-- expect: no_environment.lua:3: 
tg.command("go", function(message)
  message:answer("ESCAPED " .. os.getenv("PATH"))
end)

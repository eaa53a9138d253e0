-- expect: no_process.lua:3: 
tg.command("go", function(message)
  os.exit(1)
end)

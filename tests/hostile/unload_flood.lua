-- expect: script.on_unload: the script has 1000 of them already
tg.command("go", function(message)
  while true do script.on_unload(function() end) end
end)

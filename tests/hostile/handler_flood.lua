-- expect: the script has 10000 handlers already
tg.command("go", function(message)
  while true do tg.on_message(filters.text, function() end) end
end)

-- expect: endless_gsub_callback.lua
tg.command("go", function(message)
  string.gsub("abc", ".", function() while true do end end)
end)

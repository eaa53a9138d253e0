-- expect: endless_wrapped_coroutine.lua
tg.command("go", function(message)
  coroutine.wrap(function() while true do end end)()
end)

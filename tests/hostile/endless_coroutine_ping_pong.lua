-- expect: endless_coroutine_ping_pong.lua:
-- No one of them runs for long.
tg.command("go", function(message)
  local co = coroutine.create(function() while true do coroutine.yield() end end)
  while true do coroutine.resume(co) end
end)

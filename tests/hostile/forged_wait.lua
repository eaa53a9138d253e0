-- expect: forged_wait.lua:
-- Another task goes on with a handler that waits, in the scheduler's place.
tg.command("go", function(message)
  local handler = coroutine.running()
  tg.spawn(function()
    print(pcall(coroutine.resume, handler, true, "forged"))
    print(pcall(coroutine.close, handler))
    coroutine.resume(handler, true, "forged")
  end)
  tg.sleep(0.2)
end)

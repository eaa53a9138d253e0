-- expect: attempt to yield from outside a coroutine
-- The library's own functions as tasks.
tg.command("go", function(message)
  tg.spawn(coroutine.yield)
end)

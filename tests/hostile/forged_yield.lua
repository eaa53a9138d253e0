-- expect: attempt to yield from outside a coroutine
-- A handler's coroutine is not its own.
tg.command("go", function(message)
  coroutine.yield(json.null, 1)
  message:answer("ESCAPED")
end)

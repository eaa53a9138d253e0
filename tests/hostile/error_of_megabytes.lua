-- expect: bytes in all)
tg.command("go", function(message)
  error(("x"):rep(4000000))
end)

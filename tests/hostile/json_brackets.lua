-- expect: recursion limit exceeded
tg.command("go", function(message)
  json.decode(("["):rep(5000000))
end)

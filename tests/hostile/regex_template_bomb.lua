-- expect: not enough memory
tg.command("go", function(message)
  re.gsub(("x"):rep(1000000), "x+", ("$0"):rep(1000000))
end)

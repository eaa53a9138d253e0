-- expect: (1000018 bytes in all)
-- A name of a megabyte is not compared with another one.
tg.command("go", function(message)
  rawset(_G, ("a"):rep(1000000), 1)
  return _G[("a"):rep(1000001)]
end)

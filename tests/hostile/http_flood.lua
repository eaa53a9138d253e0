-- expect: requests are open already (limits.requests)
tg.command("go", function(message)
  for _ = 1, 100 do
    tg.spawn(function() http.get("http://nobody.example/") end)
  end
end)

-- expect: call_bomb_of_strings.lua:
-- Calls under way hold what they send: the same megabytes a thousand times.
local long = ("x"):rep(2000000)
tg.command("go", function(message)
  for _ = 1, 900 do
    tg.spawn(function() tg.invoke("messages.sendMessage", { peer = "me", message = long }) end)
  end
end)

-- expect: call_bomb.lua:
-- A few tables that stand for more than there is memory.
tg.command("go", function(message)
  local json = { _ = "jsonNull" }
  for _ = 1, 60 do json = { _ = "jsonArray", value = { json, json, json, json } } end
  tg.invoke("help.saveAppLog", { events = { { time = 1.0, type = "x", peer = 1, data = json } } })
end)

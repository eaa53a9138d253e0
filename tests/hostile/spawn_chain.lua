-- expect: it used more than 0.2 s of CPU time
-- A task that begins two of its kind.
local function both() pcall(tg.spawn, both) pcall(tg.spawn, both) while true do end end
tg.command("go", function(message)
  tg.spawn(both)
end)

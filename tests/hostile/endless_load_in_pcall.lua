-- expect: endless_load_in_pcall.lua:
-- A source of half a megabyte, compiled over and over.
local source = ("local x = 1; "):rep(40000)
tg.command("go", function(message)
  while true do pcall(load, "do " .. source:sub(1, 2000) .. " end " .. source) end
end)

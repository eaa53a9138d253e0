-- expect: plain_find_of_megabytes.lua
local hay = ("a"):rep(4000000)
local needle = ("a"):rep(100000) .. "b"
tg.command("go", function(message)
  while true do hay:find(needle, 1, true) end
end)

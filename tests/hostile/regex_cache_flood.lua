-- expect: regex_cache_flood.lua:4: stopped
tg.command("go", function(message)
  local n = 0
  while true do n = n + 1 re.test("x", "[a-z]{500}" .. n) end
end)

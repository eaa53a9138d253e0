-- expect: date_flood.lua:
-- Each conversion is a call of the system's library.
local format = ("%c"):rep(10000)
tg.command("go", function(message)
  while true do pcall(os.date, format) pcall(os.date, "%Ez") pcall(os.time, { year = 1 << 40, month = 1, day = 1 }) end
end)

-- expect: load_of_labels.lua:
-- Labels are looked for one by one.
local parts = {}
for i = 1, 5000 do parts[i] = "do goto l" .. i .. " ::l" .. i .. ":: end" end
local source = "do " .. table.concat(parts, " ") .. " end"
tg.command("go", function(message)
  while true do load(source) end
end)

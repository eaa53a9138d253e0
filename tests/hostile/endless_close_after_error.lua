-- expect: endless_close_after_error.lua:
-- The same while an error unwinds, and again in what closes that.
local function slow()
  return setmetatable({}, { __close = function() local more <close> = setmetatable({}, { __close = function() while true do end end }) end })
end
tg.command("go", function(message)
  while true do
    pcall(function() local held <close> = slow() error("out") end)
  end
end)

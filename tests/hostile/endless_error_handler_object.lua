-- expect: it used more than 0.2 s of CPU time
-- An error object that computes when it is shown, compared and read: the host does none of it.
local trap = { __tostring = function() while true do end end, __index = function() while true do end end }
trap.__eq, trap.__name = trap.__tostring, ("x"):rep(1000000)
tg.on_error(function(err) while true do tostring(err.raised) end end)
tg.command("go", function(message)
  error(setmetatable({}, trap))
end)

-- expect: endless_xpcall_nest.lua:
-- Handlers of handlers of errors.
local function handler(err) return xpcall(error, handler, err) end
tg.command("go", function(message)
  while true do xpcall(error, handler) end
end)

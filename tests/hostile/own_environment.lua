-- expect: own_environment.lua:
-- Another environment holds no more than the one before.
tg.command("go", function(message)
  local _ENV = setmetatable({}, { __index = function(_, name) return name end })
  local chunk = load("return io or os.execute or package", "x", "t", _G)
end)

-- expect: not enough memory
-- Constants and functions without end.
tg.command("go", function(message)
  local parts = {}
  for i = 1, math.huge do
    parts[#parts + 1] = "local function f" .. i % 100 .. "() return '" .. i .. ("x"):rep(100) .. "' end"
    if i % 10000 == 0 then assert(load("do " .. table.concat(parts, " end do ") .. " end")) end
  end
end)

-- One line of `moongram repl`: an expression, or statements. Gives what it printed and what it returned, as text.

local code = ...

local MAX_DEPTH, MAX_ITEMS, MAX_BYTES = 4, 100, 64 * 1024

local lines = {}

-- A value as Lua would write it, tables a few levels deep. Objects that have a text of their own show that.
local function show(value, indent, depth, above)
  local kind = type(value)
  if kind == "string" then
    return (("%q"):format(value):gsub("\\\n", "\\n"))
  end
  if kind ~= "table" then
    return tostring(value)
  end
  if above[value] then
    return "{...}"
  end
  if depth > MAX_DEPTH then
    return "{…}"
  end
  above[value] = true
  local parts, count, listed = {}, 0, 0
  local deeper = indent .. "  "
  for key, item in pairs(value) do
    count = count + 1
    if count > MAX_ITEMS then
      parts[#parts + 1] = deeper .. "…"
      break
    end
    local shown = show(item, deeper, depth + 1, above)
    if key == listed + 1 then
      listed = key
      parts[#parts + 1] = deeper .. shown
    elseif type(key) == "string" and key:find("^[%a_][%w_]*$") then
      parts[#parts + 1] = deeper .. key .. " = " .. shown
    else
      parts[#parts + 1] = deeper .. "[" .. show(key, deeper, depth + 1, above) .. "] = " .. shown
    end
  end
  above[value] = nil
  if #parts == 0 then
    return "{}"
  end
  return "{\n" .. table.concat(parts, ",\n") .. "\n" .. indent .. "}"
end

local function printed(...)
  local parts = table.pack(...)
  for i = 1, parts.n do
    parts[i] = tostring(parts[i])
  end
  lines[#lines + 1] = table.concat(parts, "\t")
end

local console = setmetatable({ print = printed }, { __index = _G, __newindex = _G })
local fn = load("return " .. code, "=console", "t", console)
if not fn then
  local message
  fn, message = load(code, "=console", "t", console)
  if not fn then
    error(message, 0)
  end
end

local results = table.pack(fn())
for i = 1, results.n do
  lines[#lines + 1] = show(results[i], "", 1, {})
end
local text = table.concat(lines, "\n")
if #text > MAX_BYTES then
  text = text:sub(1, MAX_BYTES) .. "\n… (" .. #text .. " bytes)"
end
return text

-- json: tables to text and back.

local native = ...

local pairs, tostring, type = pairs, tostring, type
local setmetatable = native.setmetatable
local fail = native.fail

-- Which tables are lists (true) and which are objects (false), where that was said, or read. They carry no mark
-- themselves: they stay plain tables, for the store and for script.state.
local marks = setmetatable({}, { __mode = "k" })

local function marked(what, is_list)
  return function(value)
    if value == nil then
      value = {}
    end
    if type(value) ~= "table" then
      fail(what .. " expects a table, got " .. type(value))
    end
    marks[value] = is_list
    return value
  end
end

local json = { null = native.null, array = marked("json.array", true), object = marked("json.object", false) }

function json.encode(value, options)
  local pretty = false
  if options ~= nil then
    if type(options) ~= "table" then
      fail("json.encode: options are a table, got " .. type(options))
    end
    for key, option in pairs(options) do
      if key ~= "pretty" or type(option) ~= "boolean" then
        fail("json.encode: the one option there is is pretty = true, got " .. tostring(key) .. " = " .. tostring(option))
      end
    end
    pretty = options.pretty == true
  end
  local text, message = native.json_encode(value, marks, pretty)
  if message then
    fail("json.encode: " .. message)
  end
  return text
end

-- A value as text, or nil and what is wrong.
function native.encode_json(value)
  return native.json_encode(value, marks, false)
end

-- Reads a text on behalf of `what`.
function native.decode_json(what, text)
  if type(text) ~= "string" then
    fail(what .. " expects a string, got " .. type(text))
  end
  local value, message = native.json_decode(text, marks)
  if message then
    fail(what .. ": " .. message)
  end
  return value
end

function json.decode(text)
  return native.decode_json("json.decode", text)
end

return json

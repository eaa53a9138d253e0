-- json: what was read is written the same, lists and objects are told apart, and errors say where.
local state = script.state

local function fails(expected, fn, ...)
  local ok, err = pcall(fn, ...)
  assert(not ok and tostring(err):find(expected, 1, true), tostring(err))
end

-- Integers of 64 bits, floats, and what is empty.
local text = '{"big":9223372036854775807,"list":[],"map":{},"nothing":null,"half":0.5,"whole":1.0}'
local value = json.decode(text)
assert(value.big == math.maxinteger and math.type(value.whole) == "float" and value.nothing == json.null)
assert(json.encode(value) == '{"big":9223372036854775807,"half":0.5,"list":[],"map":{},"nothing":null,"whole":1.0}')
assert(tostring(json.null) == "null" and json.null ~= nil)

-- A list that was read stays one when it becomes empty.
local read = json.decode('{"items":[1,2]}')
table.remove(read.items)
table.remove(read.items)
assert(json.encode(read) == '{"items":[]}')

assert(json.encode({}) == "{}" and json.encode(json.array()) == "[]" and json.encode(json.array({ 1 })) == "[1]")
assert(json.encode(json.object({ "x" })) == '{"1":"x"}')
assert(json.encode({ 1, { a = true } }, { pretty = true }) == '[\n  1,\n  {\n    "a": true\n  }\n]')
assert(json.encode("\u{1F600}\n\0") == '"\u{1F600}\\n\\u0000"')

local loop = { deep = {} }
loop.deep.again = loop
fails("json.lua:30: json.encode: value.deep.again is a table that holds itself", function()
  local _ = json.encode(loop)
end)
fails("value[2].f is a function, which JSON does not have", json.encode, { 1, { f = print } })
fails("the one option there is is pretty = true, got indent = 2", json.encode, {}, { indent = 2 })
fails("json.decode: expected `,` or `]` at line 2 column 4", json.decode, "[1,\n 2 3]")
fails("json.decode expects a string, got nil", json.decode, nil)
fails("json.array expects a table, got number", json.array, 1)

-- Null, and what was read, survive a reload.
state.kept = state.kept or json.decode('{"none":null,"numbers":[1,2]}')

tg.on_message(function(message)
  -- An object of ours shows its fields.
  local shown = json.decode(json.encode(message))
  state.text, state.from = shown.text, shown.from_user.first_name
  state.ok = true
end)

--! private 7 Alice: hello
--! expect ok: true
--! expect text: "hello"
--! expect from: "Alice"
--! state
--! expect kept: {"none": null, "numbers": [1, 2]}

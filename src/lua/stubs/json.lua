---@meta

---JSON. Integers keep their 64 bits, floats come back as they were, and lists are told from objects.
---
---A table with the keys 1 to n is a list. An empty table is an object, `{}`, unless it was read as a list, or `json.array` says
---so. What was read and is written again is the same: a list that was read stays one when it becomes empty. These marks are not
---part of the table: what goes through `store` or `script.state` comes back without them.
---@class json
json = {}

---`null`: what a key with that value is read as, and what is written as one. It is not nil and not false: compare with
---`json.null`. A table in Lua cannot hold nil.
---@type userdata
json.null = nil

---@class json.options
---@field pretty? boolean A line for each value, two spaces a level.

---Writes a value: nil, booleans, numbers, strings of UTF-8, tables of these up to 127 deep, and messages and other objects of
---moongram by their fields. Keys are strings, in order; integers become strings (`{[5] = "x"}` is `{"5":"x"}`). Anything else
---is an error that names where it stands: `value.items[3].callback is a function, which JSON does not have`.
---
---```lua
---json.encode({ ok = true, ids = json.array() })   --> {"ids":[],"ok":true}
---```
---@param value any
---@param options? json.options
---@return string
function json.encode(value, options) end

---Reads a text. Integers beyond 64 bits become floats; of keys that come twice the last counts. What is no JSON is an error with
---line and column: `json.decode: trailing comma at line 2 column 4`.
---@param text string
---@return any
function json.decode(text) end

---Says that a table is a list, and returns it; without one, a new empty list. `nil` inside is an error when it is written.
---@generic T: table
---@param list? T
---@return T
function json.array(list) end

---Says that a table is an object, even if its keys are 1 to n, and returns it; without one, a new one.
---@generic T: table
---@param map? T
---@return T
function json.object(map) end

---@meta

---The script itself.
---@class script
script = {}

---`weather` for `scripts/weather.lua` and for `scripts/weather/init.lua`.
---@type string
script.name = nil

---What the configuration has for it under `[script.NAME.config]`; an empty table if nothing.
---@type table
script.config = nil

---A table that the next version of the script finds as this one left it: booleans, numbers, strings, `json.null`, and tables of
---these. Anything else in it makes the reload fail, with an error that names it. It is gone with the process: `store` is not.
---@type table
script.state = nil

---Calls `fn` as the last thing that this version does: after its handlers have ended, before it is gone.
---@param fn async fun()
function script.on_unload(fn) end

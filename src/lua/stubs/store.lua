---@meta

---What can be kept: booleans, integers (all 64 bits), floats (`nan`, `inf` and `-0.0` too), strings of any bytes, and tables
---of these, nested up to 100 deep. Keys of tables are booleans, numbers or strings. Integers stay integers, floats stay floats.
---Anything else is an error that names where it stands (`value.a[3] is a function`): functions, coroutines, objects such as
---messages (keep their fields), `json.null`, and a table that holds itself.
---@alias store.value boolean|integer|number|string|table

---The script's durable key-value store. Keys belong to the script's name: they survive reloads and restarts, and no other
---script sees them. A key is a string of up to 1,024 bytes, a value takes up to 16 MiB, and all of a script's together up to
---`limits.store` of the configuration (256 MiB).
---
---Each function waits, so none can be called at the top level, and other handlers run meanwhile; the updates of this
---handler's chat do not. Many writes at once share one trip to the disk.
---
---Errors that are not the script's own have a name for `err:is`: `STORE_LIMIT` (over `limits.store`), `STORE_DISK_FULL`,
---`STORE_TOO_MANY_KEYS` and `STORE_FAILED` (the file is broken, locked, read-only or in use; the message says which). After
---any of them what was kept before is still there.
---
---With `moongram run` it is the file `data/store.db` beside the configuration; with `moongram play` it is gone at the end,
---unless `--keep DIR` is given.
---@class store
store = {}

---The value of a key, or `default` (nil where none is given) if there is none. A table that was read is a copy: changing it
---changes nothing until it is set again.
---
---```lua
---local settings = store.get("settings", { language = "en" })
---```
---@async
---@generic T
---@param key string
---@param default? T
---@return store.value|T|nil
function store.get(key, default) end

---Keeps a value. When this returns it is on the disk, and stays there when the power goes. `nil` deletes the key.
---
---```lua
---store.set("user:" .. message.from_user.id, { name = message.from_user.first_name, seen = message.date })
---```
---@async
---@param key string
---@param value store.value|nil
function store.set(key, value) end

---Deletes a key; true if it was there.
---@async
---@param key string
---@return boolean
function store.delete(key) end

---The keys, sorted by their bytes; with a prefix, those that begin with it.
---
---```lua
---for _, key in ipairs(store.keys("user:")) do print(key, store.get(key).name) end
---```
---@async
---@param prefix? string
---@return string[]
function store.keys(prefix) end

---Replaces a value by what `fn` makes of it, and returns that once it is on the disk. No other change of the key comes in
---between, from other handlers or from another version of the script. `fn` gets nil where there is no value, and deletes the
---key by returning nil. It must not wait (calling Telegram, `tg.sleep` or the store in it is an error); if it raises, nothing
---changes and `store.update` raises the same. In rare cases it is called again with a newer value, so it should do nothing
---but make the new value.
---
---```lua
---local visits = store.update("visits", function(n) return (n or 0) + 1 end)
---```
---@async
---@generic T
---@param key string
---@param fn fun(value: store.value|nil): T
---@return T
function store.update(key, fn) end

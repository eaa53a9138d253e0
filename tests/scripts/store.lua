-- The durable store: every kind of value, atomic changes, errors that name what is wrong, and a reload.
local state = script.state
state.version = (state.version or 0) + 1

local function same(a, b)
  if math.type(a) ~= math.type(b) or type(a) ~= type(b) then
    return false
  elseif type(a) == "number" then
    return (a ~= a and b ~= b) or (a == b and 1 / a == 1 / b)
  elseif type(a) ~= "table" then
    return a == b
  end
  for k, v in pairs(a) do
    if not same(v, b[k]) then
      return false
    end
  end
  for k in pairs(b) do
    if a[k] == nil then
      return false
    end
  end
  return true
end

local function message_of(fn, ...)
  local ok, err = pcall(fn, ...)
  return not ok and tostring(err) or "no error"
end

state.at_top_level = message_of(store.get, "a")

tg.command("values", function(message)
  local values = {
    true, false, 0, -1, 127, 128, math.maxinteger, math.mininteger, 9007199254740993,
    1.0, -0.0, 0 / 0, 1 / 0, -1 / 0, 0.1, "", "text", "\0\255\n", ("x"):rep(70000),
    {}, { 1, 2, 3 }, { a = { b = { c = { 1, { d = "e" } } } } }, { [1.5] = 1, [-3] = "x", [true] = false, ["1"] = 2, [1] = 3 },
    { 1, nil, 3, n = 3 },
  }
  state.wrong = {}
  for i, value in ipairs(values) do
    store.set("value", value)
    if not same(store.get("value"), value) then
      state.wrong[#state.wrong + 1] = i
    end
  end
  state.values = #values
end)

tg.command("keys", function(message)
  state.missing = { store.get("nothing") == nil, store.get("nothing", 5) == 5, store.delete("nothing") == false }
  store.set("user:7", { name = "Alice" })
  store.set("user:10", false)
  store.set("user\0", "other")
  state.keys = store.keys("user:")
  state.kept_false = store.get("user:10", "default") == false
  state.deleted = store.delete("user:7")
  store.set("user:10", nil)
  store.set("value", nil)
  state.left = #store.keys()
  -- What was read is a copy.
  store.set("t", { 1 })
  store.get("t")[1] = 2
  state.copied = store.get("t")[1]
  store.delete("t")
end)

tg.command("update", function(message)
  local function increment(n)
    return (n or 0) + 1
  end
  local returned = {}
  local running = 50
  for i = 1, 50 do
    tg.spawn(function()
      returned[store.update("count", increment)] = true
      running = running - 1
      if running == 0 then
        state.count = store.get("count")
        state.each_once = #returned
      end
    end)
  end
  state.made = store.update("list", function(list)
    list = list or {}
    list[#list + 1] = message.text
    return list
  end)
  state.gone = store.update("list", function()
    return nil
  end) == nil and store.get("list") == nil
end)

tg.command("raise", function(message)
  store.set("kept", 1)
  local raised = { reason = "mine" }
  local ok, err = pcall(store.update, "kept", function()
    error(raised)
  end)
  state.raised = ok == false and err == raised
  local _, text = pcall(store.update, "kept", function()
    error("with a place")
  end)
  state.raised_text = text
  state.waits = message_of(store.update, "kept", function()
    store.set("other", 1)
  end)
  state.sleeps = message_of(store.update, "kept", function()
    tg.sleep(1)
  end)
  state.yields = message_of(store.update, "kept", function()
    coroutine.yield()
  end)
  state.not_kept = message_of(store.update, "kept", function()
    return { print }
  end)
  state.after = { store.get("kept"), #store.keys("other") }
  -- A handler whose update failed can wait as before.
  tg.sleep(0.001)
  store.set("kept", 2)
  state.after_all = store.get("kept")
end)

tg.command("refused", function(message)
  local cycle = {}
  cycle.a = { cycle }
  local cases = {
    message_of(store.set, "k", { a = { 1, 2, print } }),
    message_of(store.set, "k", cycle),
    message_of(store.set, "k", message),
    message_of(store.set, "k", { from = message.from_user }),
    message_of(store.set, "k", json.decode('{"a": [null]}')),
    message_of(store.set, "k", { [{}] = 1 }),
    message_of(store.set, 5, 1),
    message_of(store.get, nil),
    message_of(store.get, ("x"):rep(1025)),
    message_of(store.keys, 5),
    message_of(store.update, "k", 5),
    message_of(store.set, "k", ("x"):rep(17 << 20)),
  }
  state.cases = cases
  state.nothing = #store.keys("k") - #store.keys("kept")
end)

tg.command("full", function(message)
  local ok, err
  for i = 1, 100 do
    ok, err = tg.try(store.set, "big" .. i, ("x"):rep(10000))
    if not ok then
      break
    end
  end
  state.full = { ok, err.name, err:is("STORE_*"), tostring(err) }
  for _, key in ipairs(store.keys("big")) do
    store.delete(key)
  end
  store.set("big", ("x"):rep(10000))
  store.delete("big")
end)

-- An answer that comes while a write is on its way waits for its turn: the lane is kept.
state.order = state.order or {}
tg.on_message(filters.regex("^write "), function(message)
  store.set("order", message.text)
  state.order[#state.order + 1] = message.text
end)

tg.command("read", function(message)
  state.read = { state.version, store.get("kept"), store.get("order") }
end)

script.on_unload(function()
  store.set("unloaded", "version " .. state.version)
end)

tg.command("unloaded", function(message)
  state.unloaded = store.get("unloaded")
end)

--! expect at_top_level: "store.lua:27: store.get waits, and the top level only registers: put it into tg.on_start(function() … end)"
--! private 7 Alice: /values
--! expect values: 24
--! expect wrong: {}
--! private 7 Alice: /keys
--! expect missing: [true, true, true]
--! expect keys: ["user:10", "user:7"]
--! expect kept_false: true
--! expect deleted: true
--! expect left: 1
--! expect copied: 1
--! private 7 Alice: /update
--! expect count: 50
--! expect each_once: 50
--! expect made: ["/update"]
--! expect gone: true
--! private 7 Alice: /raise
--! expect raised: true
--! expect raised_text: "store.lua:102: with a place"
--! expect waits: "store.lua:106: store.set waits, and the function of a store.update must not: do it before or after"
--! expect sleeps: "store.lua:109: tg.sleep waits, and the function of a store.update must not: do it before or after"
--! expect yields: "store.lua:112: attempt to yield from outside a coroutine"
--! expect not_kept: "store.lua:27: store.update: value[1] is a function"
--! expect after: [1, 0]
--! expect after_all: 2
--! private 7 Alice: /refused
--! expect cases: ["store.lua:27: store.set: value.a[3] is a function", "store.lua:27: store.set: value.a[1] is a table that it is in: a table cannot hold itself", "store.lua:27: store.set: value is an object (a table with a metatable); keep the fields that you need", "store.lua:27: store.set: value.from is an object (a table with a metatable); keep the fields that you need", "store.lua:27: store.set: value.a[1] is json.null; put false in its place, or leave it out", "store.lua:27: store.set: a key of value is a table", "store.lua:27: store.set expects a string as its key, got number; tostring makes one", "store.lua:27: store.get expects a string as its key, got nil", "store.lua:27: store.get: a key has at most 1024 bytes, this one 1025", "store.lua:27: store.keys expects a string as its prefix, got number; tostring makes one", "store.lua:27: store.update expects a function, got number", "store.lua:27: store.set: value takes more than 16 MiB"]
--! expect nothing: 0
--! private 7 Alice: /full
--! expect full: [false, "STORE_LIMIT", true, "store.lua:148: store.set: the store of store would hold 98.15 KiB, and the limit (limits.store) is 97.66 KiB: delete keys, or raise it in moongram.toml: [script.store.limits] store = \"…\""]
--! soon private 7 Alice: write one
--! soon private 7 Alice: write two
--! private 7 Alice: write three
--! expect order: ["write one", "write two", "write three"]
--! state
--! private 7 Alice: /read
--! expect read: [2, 2, "write three"]
--! private 7 Alice: /unloaded
--! expect unloaded: "version 1"

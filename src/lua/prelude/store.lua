-- What a script keeps, by key. Each call waits for the disk, or for the memory before it.

local native = ...

local error, pcall, type = error, pcall, type
local check, fail, wait = native.check, native.fail, native.wait

-- Begins until it is done: what a wait gives nil for is to be begun anew.
local function done(begin, key, value)
  local result
  repeat
    result = wait(check(begin(key, value)))
  until result ~= nil
  return result
end

local store = {}

-- The value of a key, or the default where there is none.
function store.get(key, default)
  local value = wait(check(native.store_get(key)))
  if value == nil then
    return default
  end
  return value
end

-- Keeps a value; nil deletes. It is on the disk when this returns.
function store.set(key, value)
  done(native.store_set, key, value)
end

-- True where there was something to delete.
function store.delete(key)
  return (done(native.store_delete, key))
end

-- The keys, sorted; those that begin with the prefix, if one is given.
function store.keys(prefix)
  return (wait(check(native.store_keys(prefix))))
end

-- Replaces a value by what fn makes of it (nil deletes), and returns that; no other change comes between.
function store.update(key, fn)
  if type(fn) ~= "function" then
    fail("store.update expects a function, got " .. type(fn))
  end
  while true do
    local lease = check(native.store_pin(key))
    if type(lease) == "number" then
      lease = wait(lease)
    end
    local what, a, value = native.store_apply(lease, pcall, fn)
    if what == "wait" then
      if wait(a) then
        return value
      end
    elseif what == "raised" then
      error(a, 0)
    elseif what == "wrong" then
      fail(a)
    end
  end
end

return store

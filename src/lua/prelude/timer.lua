-- Timers of a script; they end with its version.

local native = ...

local pairs, tostring, type = pairs, tostring, type
local setmetatable = native.setmetatable
local check, fail = native.check, native.fail

local methods = {}
local Timer = { __name = "timer", __index = methods, __metatable = false }

-- True where the timer would have fired again.
function methods:cancel()
  return native.cancel_timer(self.id)
end

timer = {
  -- Calls fn once, after so many seconds.
  after = function(seconds, fn)
    return setmetatable({ id = check(native.timer("timer.after", seconds, fn, false)) }, Timer)
  end,
  -- Calls fn every so many seconds.
  every = function(seconds, fn)
    return setmetatable({ id = check(native.timer("timer.every", seconds, fn, true)) }, Timer)
  end,
  -- Calls fn at the times that a cron pattern names, in a time zone.
  cron = function(pattern, fn, options)
    local zone
    if options ~= nil then
      if type(options) ~= "table" then
        fail("timer.cron: options are a table like {zone = \"Europe/Berlin\"}, got " .. type(options))
      end
      for key, value in pairs(options) do
        if key ~= "zone" then
          fail("timer.cron: there is no option " .. tostring(key) .. "; the one there is is zone")
        elseif type(value) ~= "string" then
          fail("timer.cron: zone is a name like Europe/Berlin, got " .. type(value))
        end
      end
      zone = options.zone
    end
    return setmetatable({ id = check(native.cron(pattern, fn, zone)) }, Timer)
  end,
}

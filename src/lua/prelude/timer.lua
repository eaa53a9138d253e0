-- Timers of a script; they end with its version.

local native = ...

local setmetatable = native.setmetatable
local check = native.check

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
}

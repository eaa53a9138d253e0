---@meta

---Timers. They end with the script's version: a reload makes them anew, as the top level says. Those of the top level begin to
---count when it runs, and fire once the version is live. At most 1,000 at once (`limits.timers`).
---
---A timer has one turn at a time: when it is due and its function still runs, or waits, from the last time, that turn is left out
---(and logged, for `cron`). What was missed, for instance while the machine slept, is not made up for.
---@class timer
timer = {}

---@class timer.handle
local Timer = {}

---True if it would have fired again. A function that runs goes on.
---@return boolean
function Timer:cancel() end

---Calls `fn` once, after so many seconds.
---@param seconds number
---@param fn async fun()
---@return timer.handle
function timer.after(seconds, fn) end

---Calls `fn` every so many seconds, the first time after the first of them; at least 0.001.
---@param seconds number
---@param fn async fun()
---@return timer.handle
function timer.every(seconds, fn) end

---@class timer.cron_options
---@field zone? string A time zone as `Europe/Berlin`; the host's own where none is given.

---Calls `fn` at the times that a pattern names: minute, hour, day of the month, month, day of the week (0 or 7 is Sunday, names
---work too); six fields begin with seconds. `*/5`, `1-5`, `1,15`, `L` for the last day, `MON#1` for the first Monday, `@daily`.
---If both a day of the month and one of the week are given, either will do.
---
---Where clocks change: a fixed time that is leapt over comes right after the leap, one that comes twice counts once; what has a
---`*` or a step in its hours or minutes follows the clock. A pattern or zone that is wrong is an error that names it.
---
---```lua
---timer.cron("0 9 * * MON-FRI", good_morning, { zone = "Europe/Berlin" })
---```
---@param pattern string
---@param fn async fun()
---@param options? timer.cron_options
---@return timer.handle
function timer.cron(pattern, fn, options) end

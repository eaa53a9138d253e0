-- timer: after, every and cron; one turn at a time; what is wrong is told with the line.
local state = script.state
state.log, state.turns = {}, 0

local function fails(expected, fn, ...)
  local ok, err = pcall(fn, ...)
  assert(not ok and tostring(err):find(expected, 1, true), tostring(err))
end

fails("timer.lua:11: timer.cron: \"99 * * * *\" is not a cron pattern", function()
  timer.cron("99 * * * *", print)
end)
fails('there is no time zone "Europe/Berlni"; did you mean Europe/Berlin?', timer.cron, "0 9 * * *", print, { zone = "Europe/Berlni" })
fails('timer.cron: "0 0 30 2 *" names a time that never comes', timer.cron, "0 0 30 2 *", print)
fails("timer.cron expects a function, got nil", timer.cron, "0 9 * * *")
fails("timer.cron expects a pattern, got nil", timer.cron, nil, print)
fails("there is no option tz", timer.cron, "0 9 * * *", print, { tz = "UTC" })
fails("zone is a name like Europe/Berlin, got number", timer.cron, "0 9 * * *", print, { zone = 1 })
fails("timer.every: more often than every ms", timer.every, 0, print)
fails("timer.after expects seconds, got -1", timer.after, -1, print)

local daily = timer.cron("0 9 * * *", print, { zone = "Europe/Berlin" })
assert(daily:cancel() and not daily:cancel())
local never = timer.after(0.001, function() state.cancelled = true end)
assert(never:cancel())

timer.after(0.001, function() state.fired = true end)
timer.cron("* * * * * *", function() state.second = true end)
-- Its function waits for longer than the time between two turns.
local slow
slow = timer.every(0.001, function()
  state.turns = state.turns + 1
  tg.sleep(0.05)
  slow:cancel()
  state.done = state.turns
end)

tg.on_message(function()
  -- A thousand are allowed.
  local made = {}
  local ok, err
  repeat
    ok, err = pcall(timer.after, 100, print)
    made[#made + 1] = ok and err or nil
  until not ok
  state.many = #made >= 990 and #made <= 1000 and err:match("timer.after: (.*)")
  for _, handle in ipairs(made) do
    assert(handle:cancel())
  end
end)

--! private 7 Alice: hello
--! expect many: "the script has 1000 timers already (limits.timers)"
--! expect done: 1
--! expect fired: true
--! expect second: true
--! expect cancelled: null

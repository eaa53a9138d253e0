-- Groups in order, the first match in each, and the ways to change that.
local state = script.state
state.log = {}

local function note(what)
  table.insert(state.log, what)
end

tg.on_message(filters.regex("reset"), function()
  state.log = {}
  tg.stop_propagation()
  note("the remaining lines run")
end, { group = -5 })

tg.on_message(function() note("a") end)
tg.on_message(function() note("never, a was first") end)
tg.on_message(filters.regex("next"), function()
  note("b")
  tg.continue_propagation()
end, { group = 1 })
tg.on_message(function() note("c") end, { group = 1 })
local once
once = tg.on_message(function()
  note("once")
  assert(once:remove() and not once:remove())
end, { group = 2 })

tg.on_message(filters.regex("fail"), function()
  error("oh")
end, { group = 3 })
tg.on_message(function() note("after") end, { group = 4 })
tg.on_error(function(err, event)
  note(tostring(err):gsub("^.*propagation.lua:%d+: ", "") .. " in " .. event.text)
end)

--! private 7 Alice: hello
--! expect log: ["a", "c", "once", "after"]
--! private 7 Alice: reset
--! expect log: ["the remaining lines run"]
--! private 7 Alice: next fail
--! expect log: ["the remaining lines run", "a", "b", "c", "oh in next fail", "after"]

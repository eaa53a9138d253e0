-- script.state goes from version to version, and what waits in ask is closed without another line.
local state = script.state
state.version = (state.version or 0) + 1
local version = state.version

tg.on_start(function(reason)
  state.reason = reason
end)

tg.command("wait", function(message)
  tg.wait_for("message", filters.regex("answer"), 5)
  state.ended_by = version
end)

tg.on_message(filters.text, function(message)
  state.last = { version, message.text }
end)

--! private 7 Alice: one
--! expect last: [1, "one"]
--! expect reason: "start"
--! private 7 Alice: /wait
--! state
--! expect reason: "reload"
--! private 7 Alice: answer
--! expect last: [2, "answer"]
--! wait 20
--! expect ended_by: null

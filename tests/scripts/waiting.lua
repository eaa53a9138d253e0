-- Waiting: sleep and wait_for let the chat go on; what answers is consumed; lanes of chats are apart.
local state = script.state
state.log = {}

local function note(...)
  table.insert(state.log, table.concat({ ... }, " "))
end

tg.command("sleep", function(message)
  tg.sleep(0.05)
  note("slept")
  local ok, err = pcall(tg.stop_propagation)
  state.late = not ok and err:match("too late") or ok
end)

tg.command("wait", function(message)
  note("asked")
  local answer = tg.wait_for("message", { filters.regex("^(yes|no)$") & filters.chat(message.chat.id), timeout = 5 })
  note("answered", answer.text, answer.matches[1])
end)

tg.command("hurry", function()
  local answer = tg.wait_for("message", filters.create(function() return false end), 0.01)
  note("nothing came:", tostring(answer))
end)

tg.on_message(filters.text, function(message)
  note("other", message.text)
end)

--! soon private 7 Alice: /sleep
--! private 7 Alice: meanwhile
--! expect log: ["other meanwhile", "slept"]
--! expect late: "too late"
--! private 7 Alice: /wait
--! private 7 Alice: perhaps
--! private 8 Bob: yes
--! private 7 Alice: yes
--! expect log: ["other meanwhile", "slept", "asked", "other perhaps", "other yes", "answered yes yes"]
--! private 7 Alice: /hurry
--! expect log: ["other meanwhile", "slept", "asked", "other perhaps", "other yes", "answered yes yes", "nothing came: nil"]

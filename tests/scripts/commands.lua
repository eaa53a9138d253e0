-- Commands with arguments, captures of expressions, and the order of handlers within a group.
local state = script.state

tg.command({ "say", "tell" }, "Says it", function(message, ...)
  state.said = { message.command[1], ... }
end)

tg.on_message(filters.regex([[(?P<count>\d+)d(\d+)]]), function(message)
  state.dice = { message.matches[0], message.matches[1], message.matches[2], message.matches.count }
end)

tg.on_message(filters.text, function(message)
  state.rest = message.text
end)

-- The same message object in another group, with a match of its own.
tg.on_message(filters.regex("^(.)"), function(message)
  state.first = message.matches[1]
end, { group = 1 })

--! private 7 Alice: /say "two words" three
--! expect said: ["say", "two words", "three"]
--! expect first: "/"
--! private 7 Alice: /tell@nobody x
--! expect rest: "/tell@nobody x"
--! private 7 Alice: throw 2d6
--! expect dice: ["2d6", "2", "6", "2"]
--! expect first: "t"
--! expect rest: "/tell@nobody x"

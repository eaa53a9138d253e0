-- Each message is noted under every filter that lets it through; the handlers are in groups of their own.
local state = script.state
state.seen = {}

local group = 0
local function note(name, filter)
  group = group + 1
  tg.on_message(filter, function(message)
    table.insert(state.seen, name)
  end, { group = group })
end

tg.on_message(function()
  state.seen = {}
end, { group = -1 })

note("private", filters.private)
note("group", filters.group)
note("channel", filters.channel)
note("text", filters.text)
note("media", filters.media)
note("photo", filters.photo)
note("outgoing", filters.outgoing)
note("not private", ~filters.private)
note("bot", filters.bot)
note("service", filters.service)
note("reply", filters.reply)
note("start", filters.command("start"))
note("start or stop", filters.command({ "start", "STOP" }) & filters.private)
note("!roll", filters.command("roll", { prefixes = { "!", "." } }))
note("Case", filters.command("Case", { case_sensitive = true }))
note("digits", filters.regex([[(\d+)]]))
note("alice or 8", filters.user({ "@alice", 8 }))
note("chat", filters.chat({ -5 }))
note("shout", filters.create(function(message)
  return message.text ~= nil and message.text == message.text:upper()
end))
note("lower shout", filters.text & ~filters.create(function(message)
  return message.text == message.text:upper()
end) & filters.private)
note("function", function(message)
  return message.id == 3
end)

--! private 7 Alice: hello 12
--! expect seen: ["private", "text", "digits", "alice or 8", "lower shout"]
--! group 5 9 RobotBot: HELLO
--! expect seen: ["group", "text", "not private", "bot", "chat", "shout"]
--! private 8 Bob: /stop
--! expect seen: ["private", "text", "start or stop", "alice or 8", "lower shout", "function"]
--! private 9 Carl: /START@other_bot
--! expect seen: ["private", "text", "lower shout"]
--! private 9 Carl: /start now
--! expect seen: ["private", "text", "start", "start or stop", "lower shout"]
--! private 9 Carl: .roll
--! expect seen: ["private", "text", "!roll", "lower shout"]
--! private 9 Carl: /Case
--! expect seen: ["private", "text", "Case", "lower shout"]
--! private 9 Carl: /case
--! expect seen: ["private", "text", "lower shout"]
--! photo 9 Carl: 5
--! expect seen: ["private", "media", "photo", "digits"]
--! outgoing 9 Carl: hm
--! expect seen: ["private", "text", "outgoing", "lower shout"]
--! channel 6: news
--! expect seen: ["channel", "text", "not private"]
--! join 5 9 Carl
--! expect seen: ["group", "not private", "service", "chat"]
--! reply 9 Carl 1: yes
--! expect seen: ["private", "text", "reply", "lower shout"]

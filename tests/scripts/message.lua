-- The fields of a message, in each kind of chat.
local state = script.state

tg.on_message(function(message)
  local from = message.from_user
  state.last = {
    id = message.id,
    text = message.text,
    caption = message.caption,
    chat = { message.chat.id, message.chat.type, message.chat.title or message.chat.first_name },
    from = from and { from.id, from.full_name, from.username },
    sender_chat = message.sender_chat and message.sender_chat.id,
    date = message.date,
    outgoing = message.outgoing,
    media = message.media,
    photo = message.photo and message.photo.width,
    reply_to = message.reply_to_message_id,
    service = message.service,
    joined = message.new_chat_members and message.new_chat_members[1].first_name,
    link = message.link,
    raw = message.raw._,
    unknown = message.no_such_field,
  }
  -- What was read once stays; what was set stays, too.
  assert(message.chat == message.chat and rawequal(message.raw, message.raw))
  message.mark = "x"
  local seen = 0
  for key, value in pairs(message) do
    seen = seen + 1
    assert(type(key) == "string" and not key:find("\0") and value ~= nil)
  end
  assert(seen >= 6)
  local decoded = json.decode(json.encode(message))
  assert(decoded.id == message.id and decoded.mark == "x" and decoded.chat.id == message.chat.id)
  state.shown = tostring(message)
end)

--! private 7 Alice: hello
--! expect last: {"id": 1, "text": "hello", "chat": [7, "private", "Alice"], "from": [7, "Alice", "alice"], "date": 1700000000, "outgoing": false, "raw": "message"}
--! expect shown: "message 1 of Alice: hello"
--! group 5 7 Alice: in a group
--! expect last: {"id": 2, "text": "in a group", "chat": [-5, "group", "A group"], "from": [7, "Alice", "alice"], "date": 1700000000, "outgoing": false, "raw": "message"}
--! supergroup 6 7 Alice: in a supergroup
--! expect last: {"id": 3, "text": "in a supergroup", "chat": [-1000000000006, "supergroup", "A channel"], "from": [7, "Alice", "alice"], "date": 1700000000, "outgoing": false, "raw": "message", "link": "https://t.me/a_channel/3"}
--! channel 6: a post
--! expect last: {"id": 4, "text": "a post", "chat": [-1000000000006, "channel", "A channel"], "sender_chat": -1000000000006, "date": 1700000000, "outgoing": false, "raw": "message", "link": "https://t.me/a_channel/4"}
--! photo 7 Alice: look
--! expect last: {"id": 5, "caption": "look", "chat": [7, "private", "Alice"], "from": [7, "Alice", "alice"], "date": 1700000000, "outgoing": false, "media": "photo", "photo": 800, "raw": "message"}
--! reply 7 Alice 5: nice
--! expect last: {"id": 6, "text": "nice", "chat": [7, "private", "Alice"], "from": [7, "Alice", "alice"], "date": 1700000000, "outgoing": false, "reply_to": 5, "raw": "message"}
--! join 5 8 Bob
--! expect last: {"id": 7, "chat": [-5, "group", "A group"], "from": [8, "Bob", "bob"], "date": 1700000000, "outgoing": false, "service": "chat_add_user", "joined": "Bob", "raw": "messageService"}

-- expect: (a filter), it used more than 0.2 s
local asked = false
tg.on_message(filters.create(function(message) while message.text == "/go" do end end), function() end)

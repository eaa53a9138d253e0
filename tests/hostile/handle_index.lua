-- expect: handle_index.lua:
-- A handle's methods are not to be had as a table.
tg.command("go", function(message)
  local handle = tg.on_message(print)
  local methods = handle.__index
  methods.remove = nil
  message:answer("ESCAPED")
end)

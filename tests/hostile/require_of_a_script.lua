-- expect: require_of_a_script.lua:
-- A script cannot be required.
tg.command("go", function(message)
  require("neighbour")
  message:answer("ESCAPED")
end)

-- expect: error_in_error_handler.lua:3: again
-- Errors of those who are told of errors are told to nobody.
tg.on_error(function() error("again") end)
tg.command("go", function(message)
  error("first")
end)

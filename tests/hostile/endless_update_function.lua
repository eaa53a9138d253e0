-- expect: endless_update_function.lua:
-- The function that store.update calls cannot be yielded away, and catches what is raised in it.
tg.command("go", function(message)
  store.update("key", function()
    while true do
      pcall(error)
    end
  end)
  message:answer("ESCAPED")
end)

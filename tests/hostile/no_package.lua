-- expect: no_package.lua:
tg.command("go", function(message)
  local loaded = package.loaded
  message:answer("ESCAPED")
end)

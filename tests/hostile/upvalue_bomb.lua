-- expect: upvalue_bomb.lua:
tg.command("go", function(message)
  local chain
  while true do local before = chain chain = function() return before end end
end)

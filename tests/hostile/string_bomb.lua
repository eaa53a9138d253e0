-- expect: string_bomb.lua:5: not enough memory: stopped (handler of string_bomb.lua:2), it needs more than the limit of 16 MiB
tg.command("go", function(message)
  local text = "x"
  while true do
    text = text .. text
  end
end)

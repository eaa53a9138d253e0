-- expect: string_bomb.lua: not enough memory
tg.command("go", function(message)
  local text = "x"
  while true do
    text = text .. text
  end
end)

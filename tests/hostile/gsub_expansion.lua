-- expect: gsub_expansion.lua
tg.command("go", function(message)
  local text = "aaaaaaaaaaaaaaaa"
  while true do text = text:gsub(".", "%0%0%0%0") end
end)

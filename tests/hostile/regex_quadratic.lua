-- expect: regex_quadratic.lua:3: stopped
tg.command("go", function(message)
  local _ = re.gsub(("a"):rep(1000000), "a.*z|a", "b")
end)

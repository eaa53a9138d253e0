-- expect: is too long for this regular expression
tg.command("go", function(message)
  while true do re.test(("ab"):rep(500000), "[ab]*a[ab]{900}[cd]") end
end)

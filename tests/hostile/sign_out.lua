-- expect: auth.logOut
tg.command("go", function(message)
  tg.invoke("auth.logOut", {})
  message:answer("ESCAPED")
end)

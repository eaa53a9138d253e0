-- expect: invokeWithLayer
tg.command("go", function(message)
  tg.invoke("invokeWithLayer", { layer = 200, query = { _ = "auth.logOut" } })
  message:answer("ESCAPED")
end)

-- expect: http_loopback.lua:3: http.get: 127.0.0.1:22 needs a grant
tg.command("go", function(message)
  message:answer("ESCAPED " .. http.get("http://127.0.0.1:22/").status)
end)

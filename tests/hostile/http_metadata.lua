-- expect: http_metadata.lua:3: http.get: 169.254.169.254 needs a grant
tg.command("go", function(message)
  message:answer("ESCAPED " .. http.get("http://[::ffff:169.254.169.254]/latest/meta-data").status)
end)

-- expect: a URL begins with http:// or https://
tg.command("go", function(message)
  message:answer("ESCAPED " .. http.get("file:///etc/passwd").body)
end)

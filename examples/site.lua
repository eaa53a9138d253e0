-- /site example.org tells whether a website answers. The configuration says which: allow = ["http:example.org"], or "http:*".

tg.command("site", "See whether a website answers", function(message, host)
  if not host or not re.test(host, [[^[\w.-]+(:\d+)?$]]) then
    return message:reply("Like this: /site example.org", { parse_mode = "none" })
  end
  local began = os.time()
  local ok, response = tg.try(http.get, "http://" .. host .. "/", { timeout = 10, max_body = 1 << 20 })
  if ok then
    local lines = { ("%s answers with status %d."):format(host, response.status) }
    local title = re.match(response.body, [[(?is)<title[^>]*>\s*(?<title>.*?)\s*</title>]])
    if title then
      lines[2] = title.title
    end
    log.info("asked", { host = host, status = response.status, seconds = os.time() - began })
    message:reply(table.concat(lines, "\n"), { parse_mode = "none" })
  elseif response:is("HTTP_*") then
    message:reply(response.text, { parse_mode = "none" })
  else
    error(response, 0)
  end
end)

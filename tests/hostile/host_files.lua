-- expect: host_files.lua:
-- The session, its key, the configuration and the environment: nothing opens or names them.
tg.command("go", function(message)
  for _, name in ipairs({ "io", "package", "dofile", "loadfile", "warn", "native" }) do
    if pcall(function() return _G[name] end) then message:answer("ESCAPED " .. name) end
  end
  for name in pairs(os) do
    if not ({ time = 1, date = 1, clock = 1, difftime = 1 })[name] then message:answer("ESCAPED os." .. name) end
  end
  error("there is nothing")
end)

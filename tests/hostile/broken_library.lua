-- expect: it used more than 0.2 s of CPU time
-- Everything that the prelude might use of the library is replaced by a loop.
tg.command("go", function(message)
  for _, library in ipairs({ string, table, math, utf8, coroutine, os }) do
    for name in pairs(library) do library[name] = function() while true do end end end
  end
  error = function() while true do end end
  pcall, type, tostring, setmetatable, rawget, next, pairs = error, error, error, error, error, error, error
  message.chat = nil
  error()
end)

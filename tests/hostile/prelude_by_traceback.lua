-- expect: prelude_by_traceback.lua:
-- Errors and tracebacks tell nothing of the host's own functions.
tg.command("go", function(message)
  local trace = debug.traceback()
  local err = select(2, pcall(tg.invoke, function() end))
  if trace:find("%[moongram%]") then message:answer("ESCAPED " .. trace) end
  local ok, raised = pcall(tg.send_message)
  if type(raised) ~= "string" then message:answer("ESCAPED") end
  error("strings are all there is")
end)

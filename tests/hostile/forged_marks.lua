-- expect: forged_marks.lua:
-- Light userdata that the scheduler knows its own yields by are nowhere to be had.
tg.command("go", function(message)
  local co = coroutine.create(function() coroutine.yield(json.null, 1) coroutine.yield(1, 2) return json.null end)
  local seen = {}
  while coroutine.status(co) ~= "dead" do seen[#seen + 1] = coroutine.resume(co) and type(select(2, coroutine.resume(co))) end
  for name, value in pairs(_G) do
    if type(value) == "userdata" then message:answer("ESCAPED " .. name) end
    if type(value) == "table" and value ~= _G then
      for key, inner in next, value do
        if type(inner) == "userdata" and not (value == json and key == "null") then message:answer("ESCAPED " .. tostring(key)) end
      end
    end
  end
  error("no mark was found")
end)

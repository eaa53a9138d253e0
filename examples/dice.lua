-- "2d6" anywhere in a message throws two dice of six sides. What the pattern captured is in message.matches:
-- matches[0] is the whole match, matches[1] the first capture.

local MOST_DICE, MOST_SIDES = 20, 1000

tg.on_message(filters.regex([[\b(\d{1,2})d(\d{1,4})\b]]), function(message)
  local count, sides = tonumber(message.matches[1]), tonumber(message.matches[2])
  if count < 1 or count > MOST_DICE or sides < 2 or sides > MOST_SIDES then
    return message:reply(("I have %d dice of up to %d sides."):format(MOST_DICE, MOST_SIDES))
  end

  local throws, sum = {}, 0
  for i = 1, count do
    throws[i] = math.random(sides)
    sum = sum + throws[i]
  end
  message:reply(tg.md("%s = **%d**", table.concat(throws, " + "), sum))
end)

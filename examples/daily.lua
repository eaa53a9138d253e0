-- A message every day: /daily 9:30 Europe/Berlin Drink water. /daily alone lists them, /stop 1 ends the first.

local DAILY = re.compile([[^(?<hour>[01]?\d|2[0-3]):(?<minute>[0-5]\d)\s+(?<zone>\S+)\s+(?<text>.+)$]], "s")

-- Timers end with this version of the script; what they were made of is kept, and the next version makes them anew.
local timers = {}

local function begin(chat, one)
  local pattern = ("%d %d * * *"):format(one.minute, one.hour)
  timers[one.id] = timer.cron(pattern, function()
    tg.send_message(chat, one.text, { parse_mode = "none" })
    log.info("sent", { chat = chat, id = one.id })
  end, { zone = one.zone })
end

local function shown(one)
  return ("every day at %d:%02d (%s): %s"):format(one.hour, one.minute, one.zone, one.text)
end

tg.on_start(function()
  for _, chat in ipairs(store.keys()) do
    for _, one in ipairs(store.get(chat)) do
      begin(math.tointeger(chat), one)
    end
  end
end)

tg.command("daily", "Send something every day", function(message)
  local chat = message.chat.id
  local words = re.match(message.text, [[^\S+\s+(.+)$]])
  if not words then
    local lines = {}
    for number, one in ipairs(store.get(tostring(chat), {})) do
      lines[number] = number .. ". " .. shown(one)
    end
    return message:reply(lines[1] and table.concat(lines, "\n") or "Nothing is sent here.", { parse_mode = "none" })
  end
  local match = DAILY:match(words[1])
  if not match then
    return message:reply("Like this: /daily 9:30 Europe/Berlin Drink water")
  end
  local one = {
    id = crypto.uuid(),
    hour = math.tointeger(match.hour),
    minute = math.tointeger(match.minute),
    zone = match.zone,
    text = match.text,
  }
  local ok, err = tg.try(begin, chat, one)
  if not ok then
    -- Without the line of this file, which is nobody's business here.
    return message:reply((re.gsub(err.text, [[^.*timer\.cron: ]], "")), { parse_mode = "none" })
  end
  store.update(tostring(chat), function(list)
    list = list or {}
    list[#list + 1] = one
    return list
  end)
  message:reply(shown(one), { parse_mode = "none" })
end)

tg.command("stop", "Stop sending something", function(message, number)
  local stopped
  store.update(tostring(message.chat.id), function(list)
    local at = list and math.tointeger(tonumber(number))
    if at and list[at] then
      stopped = table.remove(list, at)
    end
    return list
  end)
  if not stopped then
    return message:reply("Which one? /daily lists them.")
  end
  timers[stopped.id]:cancel()
  message:reply("No more.")
end)

-- http: requests to where the script was granted.

local native = ...

local lower, next, rawget, tostring, type = string.lower, next, rawget, tostring, type
local setmetatable = native.setmetatable
local check, check_options, fail, set, wait = native.check, native.check_options, native.fail, native.set, native.wait

-- It gives native what reads and writes JSON.
native.module("json")

local http = {}

local methods = {}
local Response = { __name = "response", __index = methods, __metatable = false }

-- The body as JSON.
function methods:json()
  local body = rawget(self, "body")
  if body == nil then
    fail("response:json: the body is in the file " .. tostring(rawget(self, "file")))
  end
  return native.decode_json("response:json", body)
end

function Response:__tostring()
  return "response " .. tostring(rawget(self, "status")) .. " of " .. tostring(rawget(self, "url"))
end

-- Names of headers are the same in any case.
local Headers = {
  __name = "headers",
  __metatable = false,
  __index = function(headers, name)
    return type(name) == "string" and rawget(headers, lower(name)) or nil
  end,
}

local OPTIONS = set(
  "url",
  "method",
  "headers",
  "query",
  "body",
  "json",
  "form",
  "bearer",
  "user",
  "password",
  "timeout",
  "redirects",
  "max_body",
  "to"
)

local function request(what, options)
  check_options(what, options, OPTIONS)
  local given = {}
  for name in next, OPTIONS do
    given[name] = options[name]
  end
  local bodies = (given.body ~= nil and 1 or 0) + (given.json ~= nil and 1 or 0) + (given.form ~= nil and 1 or 0)
  if bodies > 1 then
    fail(what .. ": a request has one body: body, json or form")
  end
  if given.json ~= nil then
    local text, message = native.encode_json(given.json)
    if message then
      fail(what .. ": json: " .. message)
    end
    given.body, given.json, given.content_type = text, nil, "application/json"
  end
  local response = wait(check(native.http(what, given)))
  if response.body == nil then
    response.file = given.to
  end
  setmetatable(response.headers, Headers)
  return setmetatable(response, Response)
end

local function with(what, url, options, method)
  if type(url) ~= "string" then
    fail(what .. " expects a URL, got " .. type(url))
  end
  if options ~= nil and type(options) ~= "table" then
    fail(what .. ": options are a table, got " .. type(options))
  end
  local given = { url = url, method = method }
  for name, value in next, options or {} do
    if given[name] ~= nil then
      fail(what .. ": " .. name .. " is given already; http.request takes all of them")
    end
    given[name] = value
  end
  return request(what, given)
end

function http.get(url, options)
  return with("http.get", url, options, "GET")
end

function http.post(url, options)
  return with("http.post", url, options, "POST")
end

function http.request(options)
  if type(options) ~= "table" then
    fail("http.request expects a table like {url = \"https://…\"}, got " .. type(options))
  end
  return request("http.request", options)
end

return http

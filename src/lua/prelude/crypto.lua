-- crypto: hashes, encodings, randomness.

local native = ...

local math_type, type = math.type, type
local check, fail = native.check, native.fail

local crypto = {}

local function text_of(what, name, value)
  if type(value) ~= "string" then
    fail(what .. " expects " .. name .. " as a string, got " .. type(value))
  end
  return value
end

-- What a native returned, with the name of who asked before what is wrong.
local function named(what, value, message)
  if message then
    fail(what .. ": " .. message)
  end
  return value
end

function crypto.hash(algorithm, data, encoding)
  text_of("crypto.hash", "the algorithm", algorithm)
  text_of("crypto.hash", "the data", data)
  return named("crypto.hash", native.crypto_hash(algorithm, data, encoding))
end

local function hash(algorithm)
  local what = "crypto." .. algorithm
  return function(data, encoding)
    return named(what, native.crypto_hash(algorithm, text_of(what, "the data", data), encoding))
  end
end

crypto.md5 = hash("md5")
crypto.sha1 = hash("sha1")
crypto.sha256 = hash("sha256")
crypto.sha512 = hash("sha512")

function crypto.hmac(algorithm, key, data, encoding)
  text_of("crypto.hmac", "the algorithm", algorithm)
  text_of("crypto.hmac", "the key", key)
  text_of("crypto.hmac", "the data", data)
  return named("crypto.hmac", native.crypto_hmac(algorithm, key, data, encoding))
end

-- "url" is the alphabet of RFC 4648, section 5, without padding.
local function base64(what, kind)
  if kind == nil then
    return "base64"
  elseif kind == "url" then
    return "base64url"
  end
  fail(what .. ': the kind is "url", or is left out')
end

function crypto.base64_encode(data, kind)
  local what = "crypto.base64_encode"
  return named(what, native.crypto_encode(text_of(what, "the data", data), base64(what, kind)))
end

function crypto.base64_decode(text, kind)
  local what = "crypto.base64_decode"
  return named(what, native.crypto_decode(text_of(what, "the text", text), base64(what, kind)))
end

function crypto.hex_encode(data)
  local what = "crypto.hex_encode"
  return named(what, native.crypto_encode(text_of(what, "the data", data), "hex"))
end

function crypto.hex_decode(text)
  local what = "crypto.hex_decode"
  return named(what, native.crypto_decode(text_of(what, "the text", text), "hex"))
end

function crypto.random_bytes(count)
  if math_type(count) ~= "integer" then
    fail("crypto.random_bytes expects a count, got " .. type(count))
  end
  return check(native.random_bytes(count))
end

function crypto.random_integer(low, high)
  if math_type(low) ~= "integer" or math_type(high) ~= "integer" then
    fail("crypto.random_integer expects two integers, the lowest and the highest")
  end
  return check(native.random_integer(low, high))
end

function crypto.uuid()
  return native.uuid()
end

-- Whether two strings are the same, in a time that does not tell where they differ.
function crypto.equals(a, b)
  text_of("crypto.equals", "what it compares", a)
  text_of("crypto.equals", "what it compares", b)
  return native.crypto_equals(a, b)
end

return crypto

---@meta

---Hashes, encodings and randomness.
---@class crypto
crypto = {}

---`md5` and `sha1` are for what others still ask for; they protect nothing any more.
---@alias crypto.algorithm "md5"|"sha1"|"sha256"|"sha512"

---How a result is written: hexadecimal (the default), base64, base64 for URLs, or as it is.
---@alias crypto.encoding "hex"|"base64"|"base64url"|"raw"

---@param algorithm crypto.algorithm
---@param data string
---@param encoding? crypto.encoding
---@return string
function crypto.hash(algorithm, data, encoding) end

---@param data string
---@param encoding? crypto.encoding
---@return string
function crypto.md5(data, encoding) end

---@param data string
---@param encoding? crypto.encoding
---@return string
function crypto.sha1(data, encoding) end

---@param data string
---@param encoding? crypto.encoding
---@return string
function crypto.sha256(data, encoding) end

---@param data string
---@param encoding? crypto.encoding
---@return string
function crypto.sha512(data, encoding) end

---A code that only who knows the key can make. Compare it with `crypto.equals`.
---
---```lua
---local secret = crypto.hmac("sha256", "WebAppData", bot_token, "raw")
---local is_genuine = crypto.equals(crypto.hmac("sha256", secret, check_string), hash)
---```
---@param algorithm crypto.algorithm
---@param key string
---@param data string
---@param encoding? crypto.encoding
---@return string
function crypto.hmac(algorithm, key, data, encoding) end

---@param data string
---@param kind? "url" The alphabet for URLs and file names, without padding.
---@return string
function crypto.base64_encode(data, kind) end

---Padding may be there or not. What is not base64 is an error with its place.
---@param text string
---@param kind? "url"
---@return string
function crypto.base64_decode(text, kind) end

---@param data string
---@return string
function crypto.hex_encode(data) end

---Upper or lower case.
---@param text string
---@return string
function crypto.hex_decode(text) end

---Random bytes from the system, good enough for keys; up to 1 MiB at once.
---@param count integer
---@return string
function crypto.random_bytes(count) end

---A random integer from `low` to `high`, both included, each as likely. Unlike `math.random` nobody can foresee it.
---@param low integer
---@param high integer
---@return integer
function crypto.random_integer(low, high) end

---A random UUID (version 4): `"f81d4fae-7dec-41d0-a765-00a0c91e6bf6"`.
---@return string
function crypto.uuid() end

---Whether two strings are the same, in a time that does not tell where they differ.
---@param a string
---@param b string
---@return boolean
function crypto.equals(a, b) end

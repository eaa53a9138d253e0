-- crypto: hashes against their published examples, encodings there and back.
local state = script.state

local function fails(expected, fn, ...)
  local ok, err = pcall(fn, ...)
  assert(not ok and tostring(err):find(expected, 1, true), tostring(err))
end

-- RFC 1321, FIPS 180-4, RFC 2202, RFC 4231.
assert(crypto.md5("abc") == "900150983cd24fb0d6963f7d28e17f72")
assert(crypto.sha1("abc") == "a9993e364706816aba3e25717850c26c9cd0d89d")
assert(crypto.sha256("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
assert(crypto.sha512("abc"):sub(1, 32) == "ddaf35a193617abacc417349ae204131" and #crypto.sha512("") == 128)
assert(crypto.hash("sha1", "abc", "raw") == crypto.hex_decode("a9993e364706816aba3e25717850c26c9cd0d89d"))
assert(crypto.sha1("abc", "base64") == "qZk+NkcGgWq6PiVxeFDCbJzQ2J0=")
assert(crypto.hmac("sha1", ("\x0b"):rep(20), "Hi There") == "b617318655057264e28bc0b6fb378c8ef146be00")
assert(
  crypto.hmac("sha256", "Jefe", "what do ya want for nothing?")
    == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
)
assert(#crypto.hmac("sha512", ("k"):rep(200), "", "raw") == 64 and #crypto.hmac("md5", "", "") == 32)

-- What Telegram's Web Apps are checked with: the key of one code is another code.
local secret = crypto.hmac("sha256", "WebAppData", "1:token", "raw")
assert(crypto.equals(crypto.hmac("sha256", secret, "a=1"), crypto.hmac("sha256", secret, "a=1")))
assert(not crypto.equals("a", "b") and not crypto.equals("a", "aa") and crypto.equals("", ""))

-- RFC 4648.
for text, encoded in pairs({ [""] = "", f = "Zg==", fo = "Zm8=", foo = "Zm9v", foobar = "Zm9vYmFy" }) do
  assert(crypto.base64_encode(text) == encoded and crypto.base64_decode(encoded) == text)
  assert(crypto.base64_decode((encoded:gsub("=", ""))) == text, "padding may be missing")
end
assert(crypto.base64_encode("\xfb\xff") == "+/8=" and crypto.base64_encode("\xfb\xff", "url") == "-_8")
assert(crypto.base64_decode("-_8=", "url") == "\xfb\xff")
assert(crypto.hex_encode("\0\xff") == "00ff" and crypto.hex_decode("00Ff") == "\0\xff")

local seen = {}
for _ = 1, 200 do
  local n = crypto.random_integer(1, 3)
  assert(math.type(n) == "integer" and n >= 1 and n <= 3)
  seen[n] = true
end
assert(#seen == 3 and math.type(crypto.random_integer(math.mininteger, math.maxinteger)) == "integer")
assert(#crypto.random_bytes(32) == 32 and crypto.random_bytes(16) ~= crypto.random_bytes(16))
assert(re.test(crypto.uuid(), "^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"))

fails("crypto.lua:48: crypto.hash: there is no hash sha3; there are md5, sha1, sha256 and sha512", function()
  local _ = crypto.hash("sha3", "")
end)
fails("crypto.sha1: there is no encoding b64", crypto.sha1, "", "b64")
fails("crypto.base64_decode: character 2 does not belong there", crypto.base64_decode, "a*bc")
fails("crypto.hex_decode: the text ends in the middle", crypto.hex_decode, "abc")
fails('the kind is "url"', crypto.base64_encode, "", "safe")
fails("crypto.sha256 expects the data as a string, got nil", crypto.sha256)
fails("there is no integer from 5 to 1", crypto.random_integer, 5, 1)
fails("a count from 0 to 1048576", crypto.random_bytes, 1 << 40)

tg.on_message(function()
  state.ok = true
end)

--! private 7 Alice: hello
--! expect ok: true

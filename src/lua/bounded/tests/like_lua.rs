use super::{PLENTY, bounded, outcome};
use mlua::Lua;

fn check(cases: &str) {
    let (lua, _budget) = bounded(PLENTY);
    let oracle = Lua::new();
    for case in cases.lines().map(str::trim).filter(|case| !case.is_empty()) {
        assert_eq!(outcome(&lua, case), outcome(&oracle, case), "{case}");
    }
}

#[test]
fn find_is_that_of_lua() {
    check(
        r#"
        return string.find("hello", "l")
        return string.find("hello", "")
        return string.find("", "")
        return string.find("hello", "", 6)
        return string.find("hello", "", 7)
        return string.find("hello", "xyz")
        return string.find("hello", "l", -2)
        return string.find("hello", "h", -100)
        return string.find("hello", "l", math.mininteger)
        return string.find("hello", "l", math.maxinteger)
        return string.find("a.b", ".", 2, true)
        return string.find("a.b", "%.", 1, true)
        return string.find("a+b", "+", 1, 1)
        return string.find("a+b", "+", 1, false)
        return string.find("a\0b", "\0")
        return string.find("a\0b", "%z")
        return string.find("a\0b", "[\0]")
        return string.find("key = value", "(%w+)%s*=%s*(%w+)")
        return string.find("abc", "()b()")
        return string.find("abc", "^b")
        return string.find("abc", "^a")
        return string.find("abc", "b", 2)
        return string.find("abc", "^b", 2)
        return string.find("abc$", "c$")
        return string.find("abc$", "%$")
        return string.find("a$b", "a$b")
        return string.find("a^b", "a^b")
        return string.find("x]", "]")
        return string.find("x)", ")")
        return string.find(123, 2)
        return string.find(12.5, ".", 1, true)
        return ("x"):find("x")
        return string.find("aXb", "%u")
        return string.find("\xff\xfe", "[\xfe]")
        return string.find("\xff\xfe", "[\x80-\xff]+")
        return string.find(("a"):rep(300) .. "b", ".-b")
        return string.find(("a"):rep(2000), ".-b")
        return string.find(("ab"):rep(1000) .. "c", "abc")
        return string.find(("ab"):rep(1000) .. "c", "abc", 1, true)
        "#,
    );
}

#[test]
fn match_is_that_of_lua() {
    check(
        r#"
        return string.match("2024-05-06", "(%d+)-(%d+)-(%d+)")
        return string.match("  trim  ", "^%s*(.-)%s*$")
        return string.match("f(a(b)c)d", "%b()")
        return string.match("f(a(b)c", "%b()")
        return string.match("aXXa", "%bXX")
        return string.match("x'y'z", "%b''")
        return string.match("THE (quick) fox", "%f[%a]%a+%f[%A]")
        return string.match("THE (quick) fox", "%f[%l]%l+")
        return string.match("end", "%f[%z]")
        return string.match("abc", "%f[a]a")
        return string.match([[say "hi" and 'ho']], [[(["'])(.-)%1]])
        return string.match("abab", "(ab)%1")
        return string.match("abba", "(a)(b)%2%1")
        return string.match("aa", "()%1")
        return string.match("abc", "(a(b(c)))")
        return string.match("abc", "((a)(b)(c))")
        return string.match("hello", ".", 3)
        return string.match("hello", ".", -1)
        return string.match("hello", ".", 6)
        return string.match("hello", ".", 99)
        return string.match("hello", "", 6)
        return string.match("aaa", "a-")
        return string.match("aaa", "a-$")
        return string.match("aaab", "a?a?a?a?b")
        return string.match("0x1F", "^0[xX](%x+)$")
        return string.match("a-b", "[a%-b]+")
        return string.match("a-b", "[a-]+")
        return string.match("a]b", "[]]")
        return string.match("a]b", "[^]]+")
        return string.match("a^b", "[b^]+")
        return string.match("a\tb\n\v\f\r ", "%s+")
        return string.match("!#~ ", "%p+")
        return string.match("\1\127 ", "%c+")
        return string.match("aZ09_", "%w+")
        return string.match("aZ09_ ", "%g+")
        return string.match("aZ09_", "%W")
        return string.match("%d", "%%d")
        return string.match("ab", "%a%")
        return string.match("x", "[%a-z]")
        return string.match("-", "[%a-z]")
        return string.match("b", "[a-%%]")
        return string.match(42, "%d")
        "#,
    );
}

#[test]
fn malformed_patterns_are_the_errors_of_lua() {
    check(
        r#"
        return string.find("a", "%")
        return string.find("a", "a%")
        return string.find("b", "a%")
        return string.find("a", "[a")
        return string.find("a", "[]")
        return string.find("a", "[^]")
        return string.find("a", "[a%")
        return string.find("a", "[a%]")
        return string.find("a", "[")
        return string.find("a", "[^")
        return string.find("a", "%b")
        return string.find("a", "%bx")
        return string.find("a", "%f")
        return string.find("a", "%fa")
        return string.find("a", "%f[")
        return string.find("a", "%1")
        return string.find("a", "%0")
        return string.find("a", "(a)%2")
        return string.find("a", "(%1)")
        return string.find("a", "(a")
        return string.find("a", "a)")
        return string.find("a", "(()")
        return string.find("a", "(()a")
        return string.match("a", "(a")
        return string.match("a", "((a)")
        return string.find(("a"):rep(40), ("(a)"):rep(33))
        return string.find(("a"):rep(40), ("(a)"):rep(32))
        return string.find(("a"):rep(40), ("()"):rep(33))
        return string.find(("a"):rep(250), ("a?"):rep(250))
        return string.find(("a"):rep(250), ("a?"):rep(199))
        return string.find(("a"):rep(250), ("a?"):rep(200))
        return string.find(("a"):rep(250), ("a-"):rep(250) .. "b")
        return string.gsub("a", "(a", "x")
        return string.gsub("a", "(a", "%1")
        return string.gsub("abc", "a", "%2")
        return string.gsub("abc", "(a)", "%2")
        return string.gsub("abc", "a", "%x")
        return string.gsub("abc", "a", "%")
        return string.gsub("abc", "a", {a = {}})
        return string.gsub("abc", "a", function() return print end)
        return string.gsub("abc", "a", function() error("own") end)
        return string.gsub("abc", "a", function() error({}) end)
        return string.gsub("abc", "a")
        return string.gsub("abc", "a", true)
        return string.gsub("abc", "a", print, {})
        return string.gsub("abc", "a", coroutine.create(print))
        return string.gsub("abc", "a", setmetatable({}, {__index = function(t, k) error("index " .. k) end}))
        return string.gsub()
        return string.gsub({})
        return string.find()
        return string.find("a")
        return string.find("a", {})
        return string.find("a", "b", {})
        return string.find("a", "b", 1.5)
        return ("a"):find()
        return ("a").find()
        return string.match("a", nil)
        return string.gmatch("a")
        return string.gmatch("(a", "(a")()
        return string.gmatch("a", "%")()
        "#,
    );
}

#[test]
fn gmatch_is_that_of_lua() {
    check(
        r#"
        local t = {} for w in ("one two  three"):gmatch("%a+") do t[#t + 1] = w end return table.concat(t, "|")
        local t = {} for k, v in ("a=1, b=2"):gmatch("(%w+)=(%w+)") do t[#t + 1] = k .. v end return table.concat(t, "|")
        local t = {} for p in ("abc"):gmatch("()") do t[#t + 1] = p end return table.concat(t, "|")
        local t = {} for w in ("abc"):gmatch("") do t[#t + 1] = w end return #t
        local t = {} for w in ("abc"):gmatch("b*") do t[#t + 1] = w end return #t, table.concat(t, "|")
        local t = {} for w in ("abcabc"):gmatch("%a", 3) do t[#t + 1] = w end return table.concat(t)
        local t = {} for w in ("abcabc"):gmatch("%a", -2) do t[#t + 1] = w end return table.concat(t)
        local t = {} for w in ("abc"):gmatch("", 4) do t[#t + 1] = w end return #t
        local t = {} for w in ("abc"):gmatch("", 5) do t[#t + 1] = w end return #t
        local t = {} for w in ("abc"):gmatch("", 9) do t[#t + 1] = w end return #t
        local t = {} for w in ("^a^a"):gmatch("^a") do t[#t + 1] = w end return #t
        local f = ("a"):gmatch("a") return f(), f(), f()
        local f = string.gmatch(12123, 12) return f(), f(), f()
        local f = string.gmatch("abc", "%a", 2) collectgarbage() return f(), f(), f()
        "#,
    );
}

#[test]
fn gsub_is_that_of_lua() {
    check(
        r#"
        return string.gsub("hello world", "o", "0")
        return string.gsub("hello world", "(%w+)", "<%1>")
        return string.gsub("hello world", "%w+", "%0 %0", 1)
        return string.gsub("hello", "", "-")
        return string.gsub("hello", "x*", "-")
        return string.gsub("hello", "l*", "-")
        return string.gsub("", "", "-")
        return string.gsub("abc", "^a", "x")
        return string.gsub("aaa", "^a", "x")
        return string.gsub("baa", "^a", "x")
        return string.gsub("aaa", "a$", "x")
        return string.gsub("abc", "%w", "%%%0")
        return string.gsub("abc", "()", "%1")
        return string.gsub("abc", "(a)(b)(c)", "%3%2%1%0")
        return string.gsub("abc", "b", 7)
        return string.gsub("abc", "b", 7.5)
        return string.gsub("abc", "b", "x", 0)
        return string.gsub("abc", "b", "x", -1)
        return string.gsub("abc", "%w", "x", 2)
        return string.gsub("abc", "%w", "x", math.maxinteger)
        return string.gsub("$name is $age", "%$(%w+)", {name = "Bob", age = 7})
        return string.gsub("$name is $age", "%$(%w+)", {name = false})
        return string.gsub("abc", "%w", {a = 1, b = 2.5})
        return string.gsub("abc", "()b", {[2] = "two"})
        return string.gsub("abc", "%w", setmetatable({}, {__index = function(_, k) return k:upper() end}))
        return string.gsub("abc", "%w", string.upper)
        return string.gsub("abc", "(%w)(%w)", function(a, b) return b .. a end)
        return string.gsub("abc", "%w", function() end)
        return string.gsub("abc", "%w", function() return false end)
        return string.gsub("abc", "b", function() return false end)
        return string.gsub("abc", "%w", function(c) if c == "b" then return 12 end end)
        return string.gsub("abc", "^%w", function(c) return c .. c end)
        return string.gsub("abc", "()", function(p) return p end)
        return string.gsub("abc", "x", function() error("never") end)
        return string.gsub("hello", "l+", function(m) collectgarbage() return #m end)
        return string.gsub("abc", "b", "%0%0", 1.0)
        return string.gsub("a\0b\0", "\0", "%%z")
        return string.gsub("abc", "b", "x\0y")
        return string.gsub(("x"):rep(5000), "x", "yz")
        return string.gsub(("x"):rep(5000), "x", function(m) return m .. m end)
        return string.gsub("abc", "%w", function(c) return (c:gsub("%w", function(d) return d .. "!" end)) end)
        return string.gsub("abc", "%w", "%0", 2, "extra")
        return string.gsub("abc def", "%f[%w]%w+", string.reverse)
        "#,
    );
}

#[test]
fn the_rest_of_string_is_that_of_lua() {
    check(
        r#"
        return string.rep("ab", 3)
        return string.rep("ab", 3, ", ")
        return string.rep("ab", 1, ", ")
        return string.rep("ab", 0, ", ")
        return string.rep("ab", -1)
        return string.rep("", 10)
        return string.rep("", 10, "x")
        return string.rep("x", 10, "")
        return #string.rep("abc", 1001, "--")
        return string.rep("x", 1 << 31)
        return string.rep("x", math.maxinteger)
        return string.rep("", 1 << 31, "xy")
        return string.rep("x", 2.0)
        return string.rep("x", 2.5)
        return string.rep(1, 2)
        return string.rep("x")
        return string.rep()
        return string.byte("abc", 1, -1)
        return string.byte("abc", 10)
        return string.byte(("x"):rep(2000000), 1, -1)
        return string.char(97, 98, 0)
        return string.char()
        return string.char(256)
        return string.lower("AbC\xc4"), string.upper("AbC\xe4"), string.reverse("abc")
        return string.lower(), 1
        return string.sub("hello", 2, -2), string.sub("hello", -3), string.sub("hello", 0)
        return string.sub("hello", math.mininteger, math.maxinteger)
        return string.sub("hello")
        return string.format("%d %s %q %5.2f %x %%", 1, "x", "a\nb", 1.5, 255)
        return string.format("%s %s", 1)
        return string.format("%99999d", 1)
        return string.format("%s", setmetatable({}, {__tostring = function() return "T" end}))
        return string.format("%s", setmetatable({}, {__tostring = function() return 1 end}))
        return string.format("%s", setmetatable({}, {__tostring = function() return {} end}))
        return string.format("%.3s|%10s", "abcdef", "x")
        return string.format("%y", 1)
        return string.format()
        return string.pack("<i4z", 1, "x"), string.packsize("<i4i8")
        return string.unpack("<i4", "\1\0\0\0rest"), string.unpack("<I2", "\1\2\3\4", 3)
        return string.unpack("z", "abc\0")
        return string.unpack("z", "abc")
        return string.unpack("i4", "a")
        return string.unpack("i4", "abcdefgh", 100)
        return "10" + 5, "0x10" * 2, -"2", "7" // 2, "7" % "4", 2 ^ "3", "1" - 1, "8" / 2
        return "a" + 1
        return "a" + {}
        return {} + "a"
        return "1" + setmetatable({}, {__add = function(a, b) return "added " .. a end})
        return -"a"
        "#,
    );
}

#[test]
fn table_functions_are_those_of_lua() {
    check(
        r#"
        local t = {} table.insert(t, 1) table.insert(t, 1, 2) table.insert(t, 2, 3) return table.unpack(t)
        local t = {1, 2, 3} table.insert(t, 4, 4) return table.unpack(t)
        local t = {1, 2, 3} table.insert(t, 5, 4)
        local t = {1, 2, 3} table.insert(t, 0, 4)
        table.insert({}, 1, 2, 3)
        table.insert({})
        table.insert()
        table.insert(nil, 1)
        table.insert("x", 1)
        table.insert({}, "a", 1)
        table.insert(setmetatable({}, {__len = function() return "x" end}), 1)
        table.insert(setmetatable({}, {__len = function() return math.maxinteger end}), 1, 1)
        local t = {1, 2, 3} return table.remove(t), table.remove(t, 1), table.remove(t), table.remove(t), #t
        local t = {1, 2, 3} return table.remove(t, 4), table.remove(t, 5)
        local t = {} return table.remove(t, 0), table.remove(t, 1), table.remove(t, #t)
        return table.remove({1, 2, 3}, 7)
        return table.remove({n = 1, [0] = "zero"}, 0)
        return table.remove()
        local t = table.move({1, 2, 3}, 1, 3, 2) return table.unpack(t)
        local t = table.move({1, 2, 3}, 2, 3, 1) return table.unpack(t)
        local t = table.move({1, 2, 3}, 1, 3, 3, {9}) return t[1], t[2], t[3], t[4], t[5]
        local t = table.move({1, 2, 3}, 1, 0, 5) return table.unpack(t)
        local t = table.move({1, 2, 3}, 1, 3, -1) return t[-1], t[0], t[1], t[2], t[3]
        return table.move({}, math.mininteger, math.maxinteger, 1)
        return table.move({}, 1, math.maxinteger, 2)
        return table.move({}, -1, math.maxinteger, 2)
        return table.move({}, 1, 2, 3, "x")
        return table.move({}, 1, 2)
        return table.move(setmetatable({}, {__index = function(_, i) error("at " .. i) end}), 1, 1 << 40, 1)
        return table.concat({1, 2.5, "x"}, ", ")
        return table.concat({1, 2, 3}, ", ", 2), table.concat({1, 2, 3}, ", ", 2, 2), table.concat({1, 2, 3}, ", ", 3, 2)
        return table.concat({}), table.concat({}, "x"), table.concat({"only"}, "x")
        return table.concat({1, {}, 3})
        return table.concat({1, 2, 3}, ",", 1, 1 << 40)
        return table.concat({1, 2, 3}, ",", math.maxinteger, math.maxinteger)
        return table.concat({[math.maxinteger] = "end"}, ",", math.maxinteger, math.maxinteger)
        return table.concat({[-1] = "a", [0] = "b"}, ",", -1, 0)
        return table.concat(setmetatable({}, {__len = function() return 3 end, __index = function(_, i) return i end}), "-")
        return table.concat({1}, {})
        return table.concat()
        return table.unpack({1, 2, 3}, 2), table.unpack({1, 2, 3}, -1, 1)
        return table.unpack({}, 1, 1e8)
        return table.unpack({}, 1, math.maxinteger)
        return table.unpack({}, math.mininteger, math.maxinteger)
        return table.unpack({}, 1, 3)
        local t = table.pack(1, nil, 3) return t.n, t[1], t[2], t[3]
        local p = setmetatable({}, {__index = function(_, i) return i end, __len = function() return 2 end}) return table.unpack(p)
        "#,
    );
}

#[test]
fn other_values_do_for_tables_as_in_lua() {
    let meta = r#"
        local back = {3, 1, 2}
        local u = setmetatable({}, {__index = back, __newindex = function(_, k, v) back[k] = v end, __len = function() return #back end})
    "#
    .replace('\n', " ");
    check(&format!(
        r#"
        {meta} table.sort(u) return table.concat(back, " ")
        {meta} table.insert(u, 4) table.insert(u, 1, 0) return table.concat(back, " ")
        {meta} return table.remove(u, 1), table.concat(back, " ")
        {meta} table.move(u, 1, 3, 2) return table.concat(back, " ")
        debug.setmetatable(1, {{__index = function(_, i) return i end, __len = function() return 3 end}}) local ok, e = pcall(table.concat, 1) local ok2, e2 = pcall(table.insert, 1, 1) debug.setmetatable(1, nil) return ok, e, ok2, e2
        "#
    ));
}

#[test]
fn sort_is_that_of_lua() {
    check(
        r#"
        local t = {3, 1, 2} table.sort(t) return table.concat(t, " ")
        local t = {} table.sort(t) return #t
        local t = {1} table.sort(t, 5) return #t
        local t = {2, 1} table.sort(t, 5)
        local t = {2, 1} table.sort(t, nil) return t[1]
        local t = {3, 1, 2} table.sort(t, function(a, b) return a > b end) return table.concat(t, " ")
        local t = {"b", "a", "C", "aa", ""} table.sort(t) return table.concat(t, " ")
        local t = {1.5, 1, 2, -1, 1 << 62, -1e300} table.sort(t) return table.concat(t, " ")
        table.sort({1, "x"})
        table.sort({1, 2, {}})
        table.sort({{}, {}})
        table.sort({1, 2, 3, 4, 5, 6}, function(a, b) return true end)
        table.sort({1, 2, 3}, function(a, b) error("mine") end)
        local t, log = {5, 2, 8, 1, 9, 3, 7, 3}, {} table.sort(t, function(a, b) log[#log + 1] = a .. b return a < b end) return table.concat(t, " "), table.concat(log, " ")
        table.sort(setmetatable({}, {__len = function() return math.maxinteger end}))
        table.sort(setmetatable({}, {__len = function() return 1 << 20 end}))
        local m = {__lt = function(a, b) return a.n < b.n end} local t = {} for i = 1, 9 do t[i] = setmetatable({n = i * 7 % 10}, m) end table.sort(t) return t[1].n, t[5].n, t[9].n
        local t = {} for i = 1, 1000 do t[i] = i * 7919 % 1009 end table.sort(t) return table.concat(t, " ")
        local t = {} for i = 1, 1000 do t[i] = i end table.sort(t, function(a, b) return a > b end) return table.concat(t, " ")
        local t = {} for i = 1, 1000 do t[i] = i // 100 end table.sort(t) return table.concat(t, " ")
        table.sort()
        table.sort(1)
        "#,
    );
}

#[test]
fn utf8_is_that_of_lua() {
    check(
        r#"
        return utf8.len("häß€😀"), utf8.len("häß", 2), utf8.len("häß", -1), utf8.len("", 1), utf8.len("abc", 2, -2)
        return utf8.len("abc\xff")
        return utf8.len("abc", 5)
        return utf8.len("abc", 1, 4)
        return utf8.len("\u{7FFFFFFF}"), utf8.len("\u{7FFFFFFF}", 1, -1, true)
        return utf8.codepoint("häß", 1, -1)
        return utf8.codepoint("\xff")
        return utf8.codepoint("abc", 4, 5)
        return utf8.char(104, 228, 8364, 128512), utf8.char()
        return utf8.char(-1)
        return utf8.offset("häß€", 3), utf8.offset("häß€", -1), utf8.offset("häß€", 0, 3), utf8.offset("abc", 5), utf8.offset("abc", 4)
        return utf8.offset("häß", 1, 3)
        return utf8.offset("abc", 1, 9)
        local t = {} for p, c in utf8.codes("aä€") do t[#t + 1] = p .. ":" .. c end return table.concat(t, " ")
        return utf8.charpattern
        local t = {} for c in ("aä€"):gmatch(utf8.charpattern) do t[#t + 1] = #c end return table.concat(t, " ")
        "#,
    );
}

#[test]
fn conversions_are_those_of_lua() {
    check(
        r#"
        return tostring(1), tostring(1.0), tostring("x"), tostring(nil), tostring(true), tostring(-0.0)
        return tostring(setmetatable({}, {__tostring = function() return "T" end}))
        return tostring(setmetatable({}, {__tostring = function() return 5 end}))
        return tostring(setmetatable({}, {__tostring = function() return {} end}))
        return tostring(setmetatable({}, {__tostring = function() error("no") end}))
        return (tostring(setmetatable({}, {__name = "Name"})):gsub("0x%x+", ""))
        return (tostring(setmetatable({}, {__name = 5})):gsub("0x%x+", ""))
        return tostring()
        return tonumber("0x10"), tonumber("  12  "), tonumber("1e1"), tonumber("z", 36), tonumber("x"), tonumber("8", 8)
        return tonumber()
        return tonumber("1", 99)
        return load("return 1 +")
        return load("return 1 + 1")()
        return load(function() return nil end)
        return os.date("!%Y-%m-%d", 0), os.date("!*t", 0).year
        return os.date("%Ez")
        "#,
    );
}

//! Whole versions, on threads of their own, without a connection.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::{Env, HandlerStats, Inbox, Limits, LoadError, Reason, ScriptSpec, State, Version, load};
use crate::client::{Client, sample};
use crate::net::Clock;

/// A folder with scripts, and a client that is connected to nothing.
struct World {
    folder: tempfile::TempDir,
    client: Client,
}

impl World {
    fn new(files: &[(&str, &str)]) -> World {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        World { folder, client: Client::detached() }
    }

    fn spec(&self, main: &str) -> ScriptSpec {
        let path: PathBuf = self.folder.path().join(main);
        let name = main.split(['.', '/']).next().unwrap();
        ScriptSpec::new(name, path, self.folder.path())
    }

    fn inbox(&self) -> Arc<Inbox> {
        Inbox::new(self.client.subscribe("test"))
    }

    async fn load_spec(&self, spec: ScriptSpec, carried: Option<State>) -> Result<Version, LoadError> {
        load(Arc::new(spec), Env::new(self.client.clone(), Clock::real()), self.inbox(), carried).await
    }

    async fn load(&self, main: &str) -> Result<Version, LoadError> {
        self.load_spec(self.spec(main), None).await
    }
}

async fn error_of(text: &str) -> String {
    let world = World::new(&[("hello.lua", text)]);
    match world.load("hello.lua").await {
        Ok(_) => panic!("it loaded: {text}"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn an_error_of_the_top_level_has_line_source_and_caret() {
    async fn check(text: &str, expected: &str) {
        assert_eq!(error_of(text).await, expected, "{text}");
    }
    check("local x = 1\n  f(})", "hello.lua:2: unexpected symbol near '}'\n      f(})\n        ^").await;
    check(
        "local message = 1\nprint(mesage, tonumbr)",
        "hello.lua:2: 'mesage' is not defined\n    print(mesage, tonumbr)\n          ^",
    )
    .await;
    check("tonumbr(1)", "hello.lua:1: 'tonumbr' is not defined; did you mean 'tonumber'?\n    tonumbr(1)\n    ^").await;
    check("\nerror('oh')", "hello.lua:2: oh\n    error('oh')\n    ^").await;
    check("error({})", "hello.lua: (an error object: a table)").await;
    check(
        "local t = nil; t.x = 1",
        "hello.lua:1: attempt to index a nil value (local 't')\n    local t = nil; t.x = 1\n          ^",
    )
    .await;
}

#[tokio::test]
async fn what_the_api_does_not_have_is_told_with_the_script_s_line() {
    async fn check(text: &str, expected: &str) {
        let error = error_of(&format!("-- first line\n{text}")).await;
        assert!(error.starts_with("hello.lua:2: ") && error.contains(expected), "{text}: {error}");
    }
    check("tg.on_mesage(print)", "there is no tg.on_mesage; did you mean tg.on_message?").await;
    check("tg.on_message('x')", "tg.on_message expects a function, got nil").await;
    check("tg.on_message(5, print)", "tg.on_message expects a filter, got number").await;
    check("tg.on_message(filters.privat, print)", "did you mean filters.private?").await;
    check("tg.on_message(filters.regex('('), print)", "regex parse error").await;
    check("local f = filters.text & 5", "& expects a filter, got number").await;
    check("tg.command('/start', print)", "names come without their prefix").await;
    check("tg.on_message(print, {group = 'x'})", "group is an integer").await;
    check("tg.send_message('me', 'x')", "put it into tg.on_start").await;
    check("tg.get_me()", "put it into tg.on_start").await;
    check("tg.sleep(1)", "put it into tg.on_start").await;
    check("tg.api.messages.sendMesage{}", "did you mean messages.sendMessage?").await;
    check("tg.api.mesages.sendMessage{}", "there is no method mesages").await;
    check("setmetatable({}, {__gc = print})", "__gc is not available").await;
    check("collectgarbage()", "only \"count\"").await;
    check("require('nothing')", "no lib/nothing.lua").await;
    check("require('../x')", "is not a module name").await;
    check("log.info('%d', 'x')", "number expected").await;
    check("timer.after('x', print)", "timer.after expects seconds").await;
    check("tg.stop_propagation()", "is for handlers of updates").await;
    check("coroutine.yield()", "outside a coroutine").await;
}

#[tokio::test]
async fn a_script_can_do_what_lua_can() {
    let world = World::new(&[(
        "hello.lua",
        r#"
        assert(not rawget(_G, 'io') and not os.execute and not os.getenv and not rawget(_G, 'package'))
        assert(load('return 1 + 1')() == 2)
        assert(load(string.char(27) .. 'Lua') == nil)
        assert(load('return x', 'c', 't', {x = 5})() == 5)
        local ok, err = pcall(error, {1})
        assert(not ok and err[1] == 1)
        local function gen() for i = 1, 3 do coroutine.yield(i) end end
        local sum = 0
        for i in coroutine.wrap(gen) do sum = sum + i end
        assert(sum == 6)
        local co = coroutine.create(function(a) local b = coroutine.yield(a + 1) error('x' .. b, 0) end)
        local _, two = coroutine.resume(co, 1)
        assert(two == 2)
        local fine, message = coroutine.resume(co, 'y')
        assert(not fine and message == 'xy' and coroutine.status(co) == 'dead')
        local handled, trace = xpcall(function() local x = nil; x() end, debug.traceback)
        assert(not handled and trace:find('hello.lua:17') and trace:find('attempt to call'), trace)
        assert(select('#', xpcall(function(...) return ... end, print, 1, nil)) == 3)
        assert(type(os.time()) == 'number' and os.date('!%Y', 0) == '1970')
        assert(collectgarbage('count') > 0)
        assert(math.maxinteger == 9223372036854775807)
        assert(json.decode(json.encode({1, {a = 'b'}}))[2].a == 'b')
        assert(tostring(filters.text & ~filters.me | filters.command('x')) == 'filter')
        assert(tg.md('**%s** %d', 'a*b', 5) == '**a\\*b** 5')
        assert(tg.is({}, 'X') == false and tg.is('oh', 'LUA_ERROR'))
        local good, failed = tg.try(error, 'oh')
        assert(not good and failed.name == 'LUA_ERROR' and failed:is('LUA_*') and tostring(failed) == 'oh')
        assert(script.name == 'hello' and script.config.city == nil)
        assert(tg.commands()[1] == nil)
        tg.command({'a', 'b'}, 'Does it', function() end)
        assert(tg.commands()[2].name == 'b' and tg.commands()[1].description == 'Does it')
        "#,
    )]);
    let version = world.load("hello.lua").await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((version.number(), version.handlers(), version.commands().len()), (1, 1, 2));
    version.stop().await;
}

#[tokio::test]
async fn required_files_are_reported_and_libraries_may_probe_globals() {
    let world = World::new(&[
        (
            "bot/init.lua",
            "local a = require('a') assert(a.x == 1 and require('a') == a) assert(require('b') == true) assert(made_by_b == 7)",
        ),
        ("bot/a.lua", "return {x = 1}"),
        ("lib/a.lua", "error('not this one')"),
        ("lib/b.lua", "if not probed_global then made_by_b = 7 end"),
    ]);
    let version = world.load("bot/init.lua").await.unwrap_or_else(|error| panic!("{error}"));
    let names: Vec<_> =
        version.required().iter().map(|(path, _)| path.strip_prefix(world.folder.path()).unwrap()).collect();
    assert_eq!(names, [std::path::Path::new("bot/a.lua"), std::path::Path::new("lib/b.lua")]);
}

#[tokio::test]
async fn an_error_in_a_library_names_its_file_and_a_cycle_is_one() {
    let world = World::new(&[
        ("hello.lua", "require('a')"),
        ("lib/a.lua", "local b =\n = 1"),
        ("round.lua", "require('x')"),
        ("lib/x.lua", "return require('y')"),
        ("lib/y.lua", "return require('x')"),
    ]);
    let error = world.load("hello.lua").await.err().unwrap();
    assert!(error.to_string().starts_with("lib/a.lua:2: unexpected symbol near '='\n     = 1"), "{error}");
    assert_eq!(error.required.len(), 1);
    let error = world.load("round.lua").await.err().unwrap();
    assert!(error.to_string().contains("lib/x.lua -> lib/y.lua -> lib/x.lua"), "{error}");
}

#[tokio::test]
async fn state_is_carried_by_value() {
    let world = World::new(&[(
        "hello.lua",
        "script.state.n = (script.state.n or 0) + 1 script.state.bad = script.state.n == 2 and print or nil",
    )]);
    let first = world.load("hello.lua").await.unwrap();
    let state = first.state().await.unwrap();
    let second = world.load_spec(world.spec("hello.lua"), Some(state)).await.unwrap();
    let error = second.state().await.unwrap_err().to_string();
    assert!(error.contains("script.state.bad is a function"), "{error}");
}

#[tokio::test]
async fn an_endless_top_level_is_stopped() {
    async fn check(text: &str) {
        let world = World::new(&[("hello.lua", text)]);
        let mut spec = world.spec("hello.lua");
        spec.limits = Limits { cpu: Duration::from_millis(30), ..Limits::default() };
        let loading = tokio::time::timeout(Duration::from_secs(20), world.load_spec(spec, None));
        let error = loading.await.expect("it is stopped").err().expect("it does not load").to_string();
        assert!(error.contains("0.03 s of CPU time"), "{text}: {error}");
    }
    check("while true do end").await;
    check("while true do pcall(error) end").await;
    check("local function f() while true do end end while true do pcall(f) end").await;
    check("table.sort({1, 2, 3}, function() while true do end end)").await;
    check("('x'):gsub('x', function() while true do pcall(error) end end)").await;
    check("setmetatable({}, {__index = function() while true do end end}).x = nil local y = setmetatable({}, {__index = function() while true do end end}).x").await;
    check("coroutine.wrap(function() while true do end end)()").await;
    check("while true do coroutine.wrap(function() while true do end end)() end").await;
    check("xpcall(error, function() while true do end end)").await;
}

#[tokio::test]
async fn a_memory_bomb_is_an_error() {
    let error = error_of("local s = ('x'):rep(1 << 40)").await;
    assert!(error.contains("not enough memory") || error.contains("too large"), "{error}");
    let error = error_of("local t = {} while true do t[#t + 1] = {('x'):rep(1000)} end").await;
    assert!(error.contains("not enough memory"), "{error}");
}

#[tokio::test]
async fn on_start_runs_and_a_task_may_wait() {
    let world = World::new(&[(
        "hello.lua",
        "tg.on_start(function(reason)
            tg.sleep(0.001)
            script.state.reason = reason
            tg.spawn(function(a) script.state.spawned = a end, 5)
            local wrapped = coroutine.wrap(function() tg.sleep(0.001) coroutine.yield(7) end)
            script.state.wrapped = wrapped()
            local ok, err = tg.try(tg.send_message, 'me', 'x')
            script.state.failed = err.name
            local ok, err = pcall(tg.invoke, 'help.getConfig', {x = 1})
            script.state.wrong = err
            timer.after(0.001, function() script.state.fired = true end)
        end)
        script.on_unload(function() log.info('gone') end)",
    )]);
    let inbox = world.inbox();
    let env = Env::new(world.client.clone(), Clock::real());
    let version = load(Arc::new(world.spec("hello.lua")), env, inbox.clone(), None).await.unwrap();
    assert!(inbox.is_idle());
    version.activate(Reason::Start);
    let mut state = String::new();
    for _ in 0..400 {
        tokio::time::sleep(Duration::from_millis(5)).await;
        state = format!("{:?}", version.state().await.unwrap());
        if state.contains("fired") {
            break;
        }
    }
    // Strings are carried as bytes.
    let text = |text: &str| format!("{:?}", text.as_bytes());
    for expected in
        [text("reload").replace(&text("reload"), &text("start")), text("fired"), text("spawned"), text("wrapped")]
    {
        let expected = expected.trim_matches(['[', ']']).to_owned();
        assert!(state.contains(&expected), "{expected} in {state}");
    }
    assert!(state.contains(text("CLOSED").trim_matches(['[', ']'])), "{state}");
    assert!(
        state.contains(text("hello.lua:9: help.getConfig: there is no field x").trim_matches(['[', ']'])),
        "{state}"
    );
    assert!(inbox.is_idle());
    version.stop().await;
}

/// Steps the clock, and waits until the script's state says so, or does not for a while.
async fn fired_after(version: &Version, clock: &Clock, step: Duration, expected: i64) {
    clock.advance(step);
    let mut fired = serde_json::Value::Null;
    for _ in 0..1_000 {
        fired = version.state().await.unwrap().to_json()["fired"].clone();
        if fired == expected {
            // What is one too many would come now.
            tokio::time::sleep(Duration::from_millis(5)).await;
            fired = version.state().await.unwrap().to_json()["fired"].clone();
            break;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(fired, expected);
}

#[tokio::test]
async fn cron_follows_the_host_s_clock_over_a_change_of_the_hour() {
    let world = World::new(&[(
        "hello.lua",
        "script.state.fired = 0
        timer.cron('30 2 * * *', function() script.state.fired = script.state.fired + 1 end, {zone = 'Europe/Berlin'})",
    )]);
    // Noon of 28 March 2026, UTC. In the night after it the clocks of Berlin leap from 02:00 to 03:00, at 01:00 UTC.
    let clock = Clock::stepped(Duration::from_secs(1_774_699_200));
    let env = Env::new(world.client.clone(), clock.clone());
    let version = load(Arc::new(world.spec("hello.lua")), env, world.inbox(), None).await.unwrap();
    version.activate(Reason::Start);
    let hour = Duration::from_secs(3600);
    fired_after(&version, &clock, 13 * hour - Duration::from_secs(1), 0).await;
    fired_after(&version, &clock, Duration::from_secs(1), 1).await;
    // 30 March, 02:30 is 00:30 UTC now.
    fired_after(&version, &clock, 23 * hour, 1).await;
    fired_after(&version, &clock, hour / 2, 2).await;
    // Three days at once: what was missed is not made up for.
    fired_after(&version, &clock, 72 * hour, 3).await;
    fired_after(&version, &clock, 24 * hour, 4).await;
    version.stop().await;
}

#[tokio::test]
async fn a_timer_whose_function_still_runs_is_left_out() {
    let world = World::new(&[(
        "hello.lua",
        "script.state.fired = 0
        timer.cron('* * * * *', function()
            script.state.fired = script.state.fired + 1
            tg.sleep(90)
        end)",
    )]);
    let clock = Clock::stepped(Duration::from_secs(1_774_699_200));
    let env = Env::new(world.client.clone(), clock.clone());
    let version = load(Arc::new(world.spec("hello.lua")), env, world.inbox(), None).await.unwrap();
    version.activate(Reason::Start);
    let minute = Duration::from_secs(60);
    fired_after(&version, &clock, minute, 1).await;
    fired_after(&version, &clock, minute, 1).await;
    // The function has returned after a minute and a half.
    fired_after(&version, &clock, minute / 2, 1).await;
    fired_after(&version, &clock, minute / 2, 2).await;
    version.stop().await;
}

#[tokio::test]
async fn each_handler_has_its_calls_errors_and_time_and_a_person_s_time_is_not_its_own() {
    let world = World::new(&[(
        "hello.lua",
        "tg.on_start(function() end)
        tg.on_message(filters.regex('boom'), function() error('oh') end)
        tg.on_message(filters.regex('slow'), function(m) for _ = 1, 1e5 do end; script.state.slept = true; tg.sleep(60) end)
        tg.on_message(function() end):remove()
        tg.on_message(function() end)",
    )]);
    let clock = Clock::real();
    let inbox = world.inbox();
    let env = Env::new(world.client.clone(), clock.clone());
    let version = load(Arc::new(world.spec("hello.lua")), env, inbox, None).await.unwrap();
    version.activate(Reason::Start);
    for (id, text) in (1..).zip(["boom", "slow", "boom", "x"]) {
        world.client.feed(sample::message(id, 7, text));
    }
    let calls = |stats: &[HandlerStats]| stats.iter().map(|stats| (stats.calls, stats.errors)).collect::<Vec<_>>();
    let expected = [(1, 0), (2, 2), (1, 0), (1, 0)];
    let stats = clock
        .timeout(Duration::from_secs(20), async {
            loop {
                let stats = version.handler_stats();
                if calls(&stats) == expected && stats[3].total > Duration::ZERO {
                    break stats;
                }
                clock.sleep(Duration::from_millis(5)).await;
            }
        })
        .await
        .unwrap_or_else(|_| panic!("{:?}", version.handler_stats()));
    let names: Vec<_> = stats.iter().map(|stats| (stats.event, stats.place.as_str())).collect();
    assert_eq!(
        names,
        [("start", "hello.lua:1"), ("message", "hello.lua:2"), ("message", "hello.lua:3"), ("message", "hello.lua:5")]
    );
    let slow = &stats[2];
    assert!(slow.total > Duration::ZERO && slow.total < Duration::from_secs(30), "{slow:?}");
    assert!(slow.p99 >= slow.total && slow.p99 <= slow.total * 2, "{slow:?}");
    let all: Duration = stats.iter().map(|stats| stats.total).sum();
    assert_eq!(version.stats().time, all);
}

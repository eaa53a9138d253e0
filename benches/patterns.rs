//! What bounded library functions cost beside Lua's own: `cargo bench --bench patterns`.

use criterion::{Criterion, criterion_group, criterion_main};
use mlua::{Function, Lua};
use moongram::lua::bounded::{Budget, install};

/// Each runs in a loop of a hundred, so that the call from Rust does not count.
const CALLS: &[(&str, &str)] = &[
    ("find_plain_short", "s:find('fox', 1, true)"),
    ("find_word", "s:find('lazy')"),
    ("match_command", "c:match('^/(%w+)%s*(.*)$')"),
    ("match_key_value", "k:match('(%w+)%s*=%s*(%w+)')"),
    ("match_trim", "t:match('^%s*(.-)%s*$')"),
    ("match_set", "s:match('[jkq][aeiou][a-z]+')"),
    ("gmatch_words", "for w in s:gmatch('%a+') do end"),
    ("gsub_string", "s:gsub('o', '0')"),
    ("gsub_captures", "s:gsub('(%w+) (%w+)', '%2 %1')"),
    ("gsub_function", "s:gsub('%w+', function(w) return w end)"),
    ("gsub_table", "s:gsub('%w+', words)"),
    ("find_late", "long:find('x')"),
    ("find_late_set", "long:find('[xyz]')"),
    ("sub", "s:sub(5, 8)"),
    ("format", "string.format('%d %s', 1, s)"),
    ("tostring", "tostring(12)"),
    ("insert_remove", "list[#list + 1] = 1 table.insert(list, 1) table.remove(list) table.remove(list)"),
    ("insert_front", "table.insert(list, 1, 0) table.remove(list, 1)"),
    ("concat", "table.concat(list, ',')"),
    ("sort_numbers", "table.sort(table.move(shuffled, 1, #shuffled, 1, {}))"),
    ("sort_comparator", "table.sort(table.move(shuffled, 1, #shuffled, 1, {}), function(a, b) return a > b end)"),
];

const PREPARE: &str = r#"
    s = "the quick brown fox jumps over the lazy dog"
    c = "/start some argument"
    k = "key = value"
    t = "   trimmed text here   "
    words = {the = "a", quick = "slow"}
    long = ("a"):rep(10000)
    list = {} for i = 1, 50 do list[i] = i end
    shuffled = {} for i = 1, 100 do shuffled[i] = i * 37 % 101 end
"#;

fn compiled(lua: &Lua, call: &str) -> Function {
    lua.load(PREPARE).exec().expect("the preparation runs");
    let call = if call.starts_with("for ") || call.contains("list") || call.starts_with("table.sort") {
        call.to_owned()
    } else {
        format!("local _ = {call}")
    };
    lua.load(format!("for _ = 1, 100 do {call} end")).into_function().expect("the call compiles")
}

fn patterns(criterion: &mut Criterion) {
    for (name, call) in CALLS {
        let mut group = criterion.benchmark_group(*name);
        group.sample_size(20).warm_up_time(std::time::Duration::from_millis(100));
        group.measurement_time(std::time::Duration::from_millis(400));
        let plain = Lua::new();
        let function = compiled(&plain, call);
        group.bench_function("lua", |b| b.iter(|| function.call::<()>(()).expect("it runs")));
        let bounded = Lua::new();
        install(&bounded, Budget::new(u64::MAX)).expect("it installs");
        let function = compiled(&bounded, call);
        group.bench_function("bounded", |b| b.iter(|| function.call::<()>(()).expect("it runs")));
    }
}

criterion_group!(benches, patterns);
criterion_main!(benches);

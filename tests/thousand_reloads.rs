//! A thousand reloads under load. Alone in its process, whose memory it measures.
#![cfg(target_os = "linux")]

mod stage;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use stage::PATIENCE;
use stage::hosted::{Hosted, messages};

/// What this process has.
#[derive(Clone, Copy, Debug)]
struct Memory {
    /// Bytes that were allocated and not freed.
    used: usize,
    /// Bytes that the system has given to it.
    resident: usize,
}

impl Memory {
    const MOST: Memory = Memory { used: usize::MAX, resident: usize::MAX };

    fn now() -> Memory {
        let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("it is told");
        let kib: usize = line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number");
        Memory { used: USED.load(Ordering::Relaxed), resident: kib * 1024 }
    }

    fn min(self, other: Memory) -> Memory {
        Memory { used: self.used.min(other.used), resident: self.resident.min(other.resident) }
    }
}

static USED: AtomicUsize = AtomicUsize::new(0);

/// Counts, and leaves the work to the system's allocator. Lua's memory goes this way, too.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call goes on to `System` with the arguments it came with.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        USED.fetch_add(layout.size(), Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        USED.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        USED.fetch_add(size, Ordering::Relaxed);
        USED.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.realloc(at, layout, size) }
    }
}

/// Counts what comes, in `script.state`: each message must be the one after its chat's last.
const COUNTER: &str = "\
local state = script.state
state.last = state.last or {}
state.count = state.count or 0
state.wrong = state.wrong or {}
tg.on_message(function(message)
  local n, chat = tonumber(message.text), message.chat.id
  local last = state.last[chat]
  if last and n ~= last + 50 and #state.wrong < 10 then
    state.wrong[#state.wrong + 1] = last .. ' then ' .. n
  end
  state.last[chat] = n
  state.count = state.count + 1
end)
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_reloads_under_load_lose_nothing_double_nothing_and_keep_the_memory() {
    const RELOADS: u64 = 1_000;
    const BATCH: i32 = 10;
    let mut stage = Hosted::new(&[("scripts/count.lua", COUNTER)]).await;
    stage.live("count").await;
    let client = stage.client.clone();
    let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
    // Five thousand a second.
    let feeder = tokio::spawn(async move {
        let mut fed = 0;
        let mut tick = tokio::time::interval(Duration::from_millis(2));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Burst);
        while stopped.try_recv().is_err() {
            tick.tick().await;
            client.feed(messages(fed + 1, BATCH));
            fed += BATCH;
        }
        fed
    });
    // What traffic alone costs is no matter of reloads.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let began = Instant::now();
    let (mut early, mut late) = (Memory::MOST, Memory::MOST);
    for reload in 1..=RELOADS {
        stage.save("scripts/count.lua", &format!("{COUNTER}-- save {reload}\n"));
        assert_eq!(stage.live("count").await, reload + 1);
        // The least of ten: how much waits at one moment is a matter of chance.
        match reload {
            1..=10 => early = early.min(Memory::now()),
            _ if reload > RELOADS - 10 => late = late.min(Memory::now()),
            _ => {}
        }
    }
    let took = began.elapsed();
    stop.send(()).expect("the feeder lives");
    let fed = feeder.await.expect("it ends");
    let deadline = Instant::now() + PATIENCE;
    while !stage.host.is_idle().await {
        assert!(Instant::now() < deadline, "it does not come to rest");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(stage.evaluate("count", "table.concat(script.state.wrong, ', ')").await, "\"\"");
    assert_eq!(stage.evaluate("count", "script.state.count").await, fed.to_string());
    let mib = |bytes: usize| bytes as f64 / 1_048_576.0;
    println!(
        "{RELOADS} reloads in {:.1} s with {:.0} updates/s: {fed} updates, each once and in order; after ten reloads {:.2} MiB \
         were in use and {:.1} MiB resident, at the end {:.2} and {:.1}",
        took.as_secs_f64(),
        f64::from(fed) / took.as_secs_f64(),
        mib(early.used),
        mib(early.resident),
        mib(late.used),
        mib(late.resident)
    );
    // Within 5 %, and what is no matter of reloads: the room that queues once needed, and what the system's allocator keeps for
    // threads that come and go, the more the busier the machine is. A thousand states that stayed would be 43 MiB.
    assert!(late.used <= early.used * 105 / 100 + (256 << 10), "memory grew: {early:?}, {late:?}");
    assert!(late.resident <= early.resident * 105 / 100 + (4 << 20), "resident memory grew: {early:?}, {late:?}");
}

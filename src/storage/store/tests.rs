use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use rusqlite::Connection;

use super::*;

const LIMIT: u64 = 1 << 20;

/// A folder with a store that may be opened again and again.
struct Disk {
    folder: tempfile::TempDir,
}

impl Disk {
    fn new() -> Disk {
        Disk { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("data/store.db")
    }

    fn stores(&self) -> Stores {
        Stores::at(self.path())
    }
}

async fn set(store: &Store, key: &str, value: &[u8]) -> Result<Written, StoreError> {
    store.put(key.as_bytes(), Some(value.to_vec())).written().await
}

async fn get(store: &Store, key: &str) -> Option<Vec<u8>> {
    store.get(key.as_bytes()).await.unwrap().value
}

async fn keys(store: &Store, prefix: &[u8]) -> Vec<Vec<u8>> {
    store.keys(prefix, LIMIT).await.unwrap().value
}

/// Runs something on the connection that writes.
fn on_writer<T>(stores: &Stores, f: impl FnOnce(&Connection) -> T) -> T {
    let open = stores.0.shared.open(true).unwrap().unwrap();
    let db = open.writer.lock().unwrap();
    f(&db)
}

const DONE: Result<Written, StoreError> = Ok(Written::Done { was_there: false });
const REPLACED: Result<Written, StoreError> = Ok(Written::Done { was_there: true });

#[tokio::test]
async fn what_was_written_is_there_when_the_store_is_opened_again() {
    let disk = Disk::new();
    let stores = disk.stores();
    let store = stores.of("weather", LIMIT);
    assert_eq!(get(&store, "a").await, None);
    assert!(!disk.path().exists(), "reading makes no file");
    assert_eq!(set(&store, "a", b"1").await, DONE);
    assert_eq!(set(&store, "a", b"2").await, REPLACED);
    assert_eq!(set(&store, "", b"").await, DONE);
    assert_eq!(set(&stores.of("other", LIMIT), "a", b"other").await, DONE);
    assert_eq!(get(&store, "a").await.as_deref(), Some(&b"2"[..]));
    assert_eq!(store.put(b"b", None).written().await, DONE);
    drop((store, stores));

    let stores = disk.stores();
    let store = stores.of("weather", LIMIT);
    assert_eq!(get(&store, "a").await.as_deref(), Some(&b"2"[..]));
    assert_eq!(get(&store, "").await.as_deref(), Some(&b""[..]));
    assert_eq!(keys(&store, b"").await, [&b""[..], b"a"]);
    assert_eq!(store.put(b"a", None).written().await, REPLACED);
    assert_eq!(get(&store, "a").await, None);
    assert_eq!(get(&stores.of("other", LIMIT), "a").await.as_deref(), Some(&b"other"[..]));
    #[cfg(unix)]
    for (path, mode) in [("data", 0o700), ("data/store.db", 0o600), ("data/store.db-wal", 0o600)] {
        use std::os::unix::fs::PermissionsExt;
        let found = fs::metadata(disk.folder.path().join(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!(found, mode, "{path}: {found:o}");
    }
}

#[tokio::test]
async fn keys_are_listed_by_prefix_in_the_order_of_their_bytes() {
    let stores = Stores::in_memory();
    let store = stores.of("weather", LIMIT);
    for key in [&b"user:2"[..], b"user:10", b"user", b"users", b"\xff\xff", b"\xff", b"z"] {
        store.put(key, Some(vec![1])).written().await.unwrap();
    }
    assert_eq!(keys(&store, b"user:").await, [&b"user:10"[..], b"user:2"]);
    assert_eq!(keys(&store, b"user").await.len(), 4);
    assert_eq!(keys(&store, b"\xff").await, [&b"\xff"[..], b"\xff\xff"]);
    assert_eq!(keys(&store, b"").await.len(), 7);
    assert_eq!(keys(&store, b"nothing").await, Vec::<Vec<u8>>::new());
    assert_eq!(store.keys(b"", 100).await.err(), Some(StoreError::TooManyKeys { limit: 100 }));
}

#[tokio::test]
async fn a_commit_is_brought_to_the_disk() {
    let disk = Disk::new();
    let stores = disk.stores();
    set(&stores.of("weather", LIMIT), "a", b"1").await.unwrap();
    on_writer(&stores, |db| {
        let mode: String = db.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
        let synchronous: i64 = db.pragma_query_value(None, "synchronous", |row| row.get(0)).unwrap();
        assert_eq!((mode.as_str(), synchronous), ("wal", 3));
    });
    // Another process would see it.
    let other = Connection::open(disk.path()).unwrap();
    let value: Vec<u8> = other.query_row("SELECT value FROM entry", [], |row| row.get(0)).unwrap();
    assert_eq!(value, b"1");
}

/// How many transactions the log of a store has.
fn commits(path: &Path) -> usize {
    let wal = fs::read(crate::storage::place::beside(path, "-wal")).unwrap();
    // The last frame of a transaction has the size of the file after it. https://www.sqlite.org/fileformat.html#the_write_ahead_log
    let page = u32::from_be_bytes(wal[8..12].try_into().unwrap()) as usize;
    wal[32..].chunks(24 + page).filter(|frame| frame[4..8] != [0; 4]).count()
}

#[tokio::test]
async fn what_gathers_while_the_disk_is_busy_is_one_commit() {
    let disk = Disk::new();
    let stores = disk.stores();
    let store = stores.of("weather", LIMIT);
    let other = stores.of("other", LIMIT);
    set(&store, "first", b"1").await.unwrap();
    let before = commits(&disk.path());
    // The writer has the first of them in its hand at most, and waits for the connection.
    let open = stores.0.shared.open(true).unwrap().unwrap();
    let busy = open.writer.lock().unwrap();
    let tickets: Vec<Ticket> = (0..500)
        .map(|n| if n % 2 == 0 { &store } else { &other }.put(format!("key {n}").as_bytes(), Some(vec![7; 10])))
        .collect();
    drop(busy);
    for ticket in tickets {
        assert_eq!(ticket.written().await, DONE);
    }
    let commits = commits(&disk.path()) - before;
    assert!((1..=2).contains(&commits), "{commits} commits");
    assert_eq!(keys(&store, b"key").await.len(), 250);
}

#[tokio::test]
async fn a_script_s_limit_is_kept_and_named_and_is_its_own() {
    let disk = Disk::new();
    let stores = disk.stores();
    let store = stores.of("weather", 4096);
    set(&store, "a", &[1; 2000]).await.unwrap();
    let error = set(&store, "b", &[2; 3000]).await.unwrap_err();
    assert_eq!(error.name(), "STORE_LIMIT");
    let message = error.to_string();
    for part in ["weather", "limits.store", "4 KiB", "[script.weather.limits]"] {
        assert!(message.contains(part), "{message}");
    }
    assert_eq!(get(&store, "b").await, None);
    // The others of the same commit, and other scripts, are not concerned.
    let tickets = [
        store.put(b"c", Some(vec![3; 100])),
        store.put(b"d", Some(vec![4; 3000])),
        stores.of("other", 4096).put(b"d", Some(vec![4; 3000])),
        store.put(b"e", Some(vec![5; 100])),
    ];
    let mut results = Vec::new();
    for ticket in tickets {
        results.push(ticket.written().await.is_ok());
    }
    assert_eq!(results, [true, false, true, true]);
    drop((store, stores));
    // The sum is kept, and what makes room is taken even where the limit is lower by now.
    let stores = disk.stores();
    let store = stores.of("weather", 100);
    assert!(set(&store, "f", b"").await.is_err());
    assert_eq!(set(&store, "a", &[1; 1000]).await, REPLACED);
    for key in [&b"a"[..], b"c", b"e"] {
        store.put(key, None).written().await.unwrap();
    }
    let sum: i64 = on_writer(&stores, |db| {
        db.query_row("SELECT bytes FROM script WHERE name = 'weather'", [], |row| row.get(0)).unwrap()
    });
    assert_eq!(sum, 0);
    assert_eq!(set(&store, "f", b"").await, DONE);
}

#[tokio::test]
async fn a_full_disk_is_an_error_after_which_it_goes_on() {
    let disk = Disk::new();
    let stores = disk.stores();
    let store = stores.of("weather", 1 << 30);
    set(&store, "kept", b"1").await.unwrap();
    on_writer(&stores, |db| db.pragma_update_and_check(None, "max_page_count", 20, |_| Ok(())).unwrap());
    let error = set(&store, "big", &[1; 1 << 20]).await.unwrap_err();
    assert_eq!(error, StoreError::Full { path: disk.path() });
    assert!(error.to_string().contains("the disk is full"), "{error}");
    assert_eq!(get(&store, "kept").await.as_deref(), Some(&b"1"[..]));
    assert_eq!(get(&store, "big").await, None);
    assert_eq!(set(&store, "small", b"2").await, DONE);
    on_writer(&stores, |db| db.pragma_update_and_check(None, "max_page_count", 1 << 20, |_| Ok(())).unwrap());
    assert_eq!(set(&store, "big", &[1; 1 << 20]).await, DONE);
    assert!(stores.0.shared.latest().is_empty());
}

#[tokio::test]
async fn a_read_only_or_locked_file_is_an_error_after_which_it_goes_on() {
    let disk = Disk::new();
    let stores = disk.stores();
    let store = stores.of("weather", LIMIT);
    set(&store, "kept", b"1").await.unwrap();
    // What SQLite says of a file that it may not write, whoever runs the test.
    on_writer(&stores, |db| db.pragma_update(None, "query_only", true).unwrap());
    assert_eq!(set(&store, "a", b"").await, Err(StoreError::ReadOnly { path: disk.path() }));
    on_writer(&stores, |db| db.pragma_update(None, "query_only", false).unwrap());
    assert_eq!(set(&store, "a", b"").await, DONE);

    on_writer(&stores, |db| db.busy_timeout(Duration::from_millis(20)).unwrap());
    let other = Connection::open(disk.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(set(&store, "b", b"").await, Err(StoreError::Locked { path: disk.path() }));
    assert_eq!(get(&store, "kept").await.as_deref(), Some(&b"1"[..]));
    drop(other);
    assert_eq!(set(&store, "b", b"").await, DONE);
}

#[tokio::test]
async fn a_file_that_was_moved_away_is_not_silently_begun_anew() {
    let disk = Disk::new();
    let stores = disk.stores();
    let store = stores.of("weather", LIMIT);
    set(&store, "kept", b"1").await.unwrap();
    let aside = disk.folder.path().join("aside");
    fs::rename(disk.path(), &aside).unwrap();
    assert_eq!(set(&store, "a", b"").await, Err(StoreError::Moved { path: disk.path() }));
    fs::rename(&aside, disk.path()).unwrap();
    assert_eq!(set(&store, "a", b"").await, DONE);
    assert_eq!(get(&store, "kept").await.as_deref(), Some(&b"1"[..]));
}

#[tokio::test]
async fn a_file_that_is_no_store_is_named_and_left_as_it_was() {
    async fn check(prepare: impl FnOnce(&Path), expected: &str) {
        let disk = Disk::new();
        fs::create_dir_all(disk.folder.path().join("data")).unwrap();
        prepare(&disk.path());
        let before = fs::read(disk.path()).unwrap();
        let stores = disk.stores();
        let store = stores.of("weather", LIMIT);
        let writing = set(&store, "a", b"").await.unwrap_err().to_string();
        let reading = store.get(b"a").await.err().unwrap().to_string();
        for error in [writing, reading] {
            assert!(error.contains(expected) && error.contains("store.db"), "{error}");
        }
        assert_eq!(fs::read(disk.path()).unwrap(), before, "{expected}");
        // Once it is out of the way, the same store works.
        fs::remove_file(disk.path()).unwrap();
        assert_eq!(set(&store, "a", b"").await, DONE);
    }
    check(|path| fs::write(path, "a letter to my aunt, which is no database").unwrap(), "is not a store").await;
    let of_another = |path: &Path| Connection::open(path).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
    check(of_another, "of another program").await;
    let newer = |path: &Path| {
        drop(Database::open(path).unwrap());
        Connection::open(path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    };
    check(newer, "of version 99").await;
    let broken = |path: &Path| {
        drop(Database::open(path).unwrap());
        let mut bytes = fs::read(path).unwrap();
        bytes[4096..8192].fill(0xa5);
        fs::write(path, bytes).unwrap();
    };
    check(broken, "is broken").await;
}

#[tokio::test]
async fn a_file_that_breaks_while_it_is_open_is_an_error() {
    let disk = Disk::new();
    let stores = disk.stores();
    let store = stores.of("weather", LIMIT);
    for n in 0..200 {
        set(&store, &format!("key {n}"), &[7; 500]).await.unwrap();
    }
    drop(store);
    drop(stores);
    let stores = disk.stores();
    let store = stores.of("weather", LIMIT);
    assert!(get(&store, "key 0").await.is_some());
    let mut bytes = fs::read(disk.path()).unwrap();
    bytes[4096..].fill(0xa5);
    fs::write(disk.path(), bytes).unwrap();
    let reading = async { keys_error(&store).await };
    assert!(matches!(reading.await, StoreError::Broken { .. } | StoreError::NotAStore { .. }));
    assert!(set(&store, "a", b"").await.is_err());
}

async fn keys_error(store: &Store) -> StoreError {
    // What was read before may still be in memory.
    for _ in 0..5 {
        if let Err(error) = store.keys(b"key", LIMIT).await {
            return error;
        }
        let _ = set(store, "more", &[1; 9000]).await;
    }
    panic!("a broken file was read");
}

#[tokio::test]
async fn a_place_that_cannot_be_is_an_error() {
    let disk = Disk::new();
    fs::write(disk.folder.path().join("data"), "a file").unwrap();
    let stores = disk.stores();
    let store = stores.of("weather", LIMIT);
    let error = set(&store, "a", b"").await.unwrap_err().to_string();
    assert!(error.contains("data/store.db"), "{error}");
}

#[tokio::test]
async fn a_store_in_use_names_the_process() {
    let disk = Disk::new();
    let first = disk.stores();
    set(&first.of("weather", LIMIT), "a", b"1").await.unwrap();
    let second = disk.stores();
    let store = second.of("weather", LIMIT);
    let error = set(&store, "a", b"2").await.unwrap_err().to_string();
    assert!(error.contains(&format!("process {}", std::process::id())), "{error}");
    drop(first);
    assert_eq!(set(&store, "a", b"2").await, REPLACED);
}

#[tokio::test]
async fn a_change_of_a_value_that_is_no_longer_there_is_a_conflict() {
    let stores = Stores::in_memory();
    let store = stores.of("weather", LIMIT);
    let pinned = store.pin(b"n").await.unwrap();
    assert_eq!(store.latest(&pinned), Some(None));
    set(&store, "n", b"1").await.unwrap();
    assert_eq!(store.swap(&pinned, None, Some(b"2".to_vec())).written().await, Ok(Written::Conflict));
    // A conflict tells that nothing is known, and a pin finds it out.
    assert_eq!(store.latest(&pinned), None);
    drop(pinned);
    let pinned = store.pin(b"n").await.unwrap();
    let latest = store.latest(&pinned).unwrap();
    assert_eq!(latest.as_deref(), Some(&b"1"[..]));
    assert_eq!(store.swap(&pinned, latest, None).written().await, REPLACED);
    assert_eq!(get(&store, "n").await, None);
    drop(pinned);
    assert!(stores.0.shared.latest().is_empty());
}

#[tokio::test]
async fn a_change_can_follow_one_that_is_still_on_its_way() {
    let disk = Disk::new();
    let stores = disk.stores();
    let store = stores.of("weather", 200);
    set(&store, "n", b"0").await.unwrap();
    let pinned = store.pin(b"n").await.unwrap();
    let open = stores.0.shared.open(true).unwrap().unwrap();
    let busy = open.writer.lock().unwrap();
    let mut tickets = Vec::new();
    for n in 1..=50u8 {
        let latest = store.latest(&pinned).unwrap();
        let before = if n == 1 { b'0' } else { n - 1 };
        assert_eq!(latest.as_deref(), Some(&[before][..]));
        tickets.push(store.swap(&pinned, latest, Some(vec![n])));
    }
    // What is refused takes those with it that were made of it.
    let latest = store.latest(&pinned).unwrap();
    let refused = store.swap(&pinned, latest, Some(vec![7; 1000]));
    let latest = store.latest(&pinned).unwrap();
    let based_on_it = store.swap(&pinned, latest, Some(vec![8]));
    drop(busy);
    for ticket in tickets {
        assert_eq!(ticket.written().await, REPLACED);
    }
    assert!(matches!(refused.written().await, Err(StoreError::Limit { .. })));
    assert_eq!(based_on_it.written().await, Ok(Written::Conflict));
    assert_eq!(get(&store, "n").await, Some(vec![50]));
}

/// Two threads, as two versions of a script at a reload.
#[test]
fn no_change_is_lost_between_two_threads() {
    let disk = Disk::new();
    let stores = disk.stores();
    let count = |store: Store| {
        std::thread::spawn(move || {
            let tokio = tokio::runtime::Builder::new_current_thread().build().unwrap();
            tokio.block_on(async {
                for _ in 0..100 {
                    loop {
                        let pinned = store.pin(b"n").await.unwrap();
                        let Some(latest) = store.latest(&pinned) else { continue };
                        let n = latest.as_deref().map_or(0, |bytes| u32::from_be_bytes(bytes.try_into().unwrap()));
                        let ticket = store.swap(&pinned, latest, Some((n + 1).to_be_bytes().to_vec()));
                        if ticket.written().await.unwrap() != Written::Conflict {
                            break;
                        }
                    }
                }
            });
        })
    };
    let threads = [count(stores.of("weather", LIMIT)), count(stores.of("weather", LIMIT))];
    for thread in threads {
        thread.join().unwrap();
    }
    let tokio = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let n = tokio.block_on(get(&stores.of("weather", LIMIT), "n")).unwrap();
    assert_eq!(n, 200u32.to_be_bytes());
}

#[tokio::test]
async fn what_is_queued_when_the_last_handle_goes_is_written() {
    let disk = Disk::new();
    let stores = disk.stores();
    let store = stores.of("weather", LIMIT);
    let tickets: Vec<Ticket> = (0..50).map(|n| store.put(&[n], Some(vec![n]))).collect();
    drop((tickets, store, stores));
    let stores = disk.stores();
    assert_eq!(keys(&stores.of("weather", LIMIT), b"").await.len(), 50);
}

#[tokio::test]
async fn a_script_that_writes_faster_than_the_disk_is_to_wait() {
    let disk = Disk::new();
    let stores = disk.stores();
    let store = stores.of("weather", 1 << 30);
    set(&store, "a", b"").await.unwrap();
    let open = stores.0.shared.open(true).unwrap().unwrap();
    let busy = open.writer.lock().unwrap();
    let mut tickets = Vec::new();
    while store.has_room() {
        tickets.push(store.put(&tickets.len().to_be_bytes(), Some(vec![0; 1 << 20])));
    }
    assert_eq!(tickets.len(), 16);
    assert!(stores.of("other", LIMIT).has_room());
    drop(busy);
    store.room().await.unwrap();
    assert!(store.has_room());
}

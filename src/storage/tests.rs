use std::fs;
use std::io::Write;

use super::*;

fn key(byte: u8) -> StoredKey {
    StoredKey { auth_key: [byte; 256], server_salt: i64::MIN, time_offset: -3, created: 1_700_000_000 }
}

fn alice() -> PeerRow {
    PeerRow {
        id: 7,
        access_hash: Some(i64::MAX),
        username: Some("Alice".into()),
        phone: Some("4912345".into()),
        name: "Alice".into(),
        raw: Some(vec![1, 2, 3]),
        partial: false,
    }
}

#[tokio::test]
async fn what_was_put_is_there_when_the_session_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bot.db");
    let state = UpdateState { pts: 1, qts: 2, date: 3, seq: 4 };
    let account = Account { id: 42, is_bot: true, dc: 2 };
    let session = Session::open(&path).unwrap();
    session.set_key(2, Some(key(1)));
    session.set_key(4, Some(key(4)));
    session.set_key(4, None);
    session.set_account(Some(account));
    session.set_dcs(vec![(2, "127.0.0.1:4430".into())]);
    session.save_state(state, [(5, 50)]);
    session.put_peers(vec![alice()]);
    drop(session);

    let session = Session::open(&path).unwrap();
    assert_eq!(session.key(2), Some(key(1)));
    assert_eq!(session.key(4), None);
    assert_eq!(session.account(), Some(account));
    assert_eq!(session.dcs(), [(2, "127.0.0.1:4430".to_owned())]);
    assert_eq!(session.state(), Some(state));
    assert_eq!(session.channels(), [(5, 50)]);
    assert_eq!(session.peer(7), Some(alice()));
    assert_eq!(session.peer_by_username("aLICE"), Some(alice()));
    assert_eq!(session.peer_by_phone("4912345"), Some(alice()));
    assert_eq!(session.peer(8), None);
}

#[tokio::test]
async fn a_session_that_is_cleared_keeps_the_addresses_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bot.db");
    let session = Session::open(&path).unwrap();
    let dcs = vec![(2, "127.0.0.1:4430".to_owned())];
    session.set_key(2, Some(key(1)));
    session.set_account(Some(Account { id: 42, is_bot: true, dc: 2 }));
    session.set_dcs(dcs.clone());
    session.save_state(UpdateState { pts: 1, qts: 2, date: 3, seq: 4 }, [(5, 50)]);
    session.flush().await.unwrap();
    // What was put and is not on disk yet goes as well.
    session.put_peers(vec![alice()]);
    session.clear();
    // What comes after stays.
    session.set_key(4, Some(key(4)));
    drop(session);
    let session = Session::open(&path).unwrap();
    assert_eq!((session.key(2), session.key(4)), (None, Some(key(4))));
    assert_eq!((session.account(), session.state(), session.peer(7)), (None, None, None));
    assert!(session.channels().is_empty());
    assert_eq!(session.dcs(), dcs);
}

#[tokio::test]
async fn a_session_of_the_version_before_keeps_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bot.db");
    let session = Session::open(&path).unwrap();
    session.set_key(2, Some(key(1)));
    drop(session);
    let db = rusqlite::Connection::open(&path).unwrap();
    db.execute_batch("ALTER TABLE auth_key DROP COLUMN created; PRAGMA user_version = 1;").unwrap();
    drop(db);
    let session = Session::open(&path).unwrap();
    assert_eq!(session.key(2), Some(StoredKey { created: 0, ..key(1) }));
    session.set_key(2, Some(key(2)));
    drop(session);
    assert_eq!(Session::open(&path).unwrap().key(2), Some(key(2)));
}

#[tokio::test]
async fn a_min_row_takes_nothing_away() {
    let session = Session::in_memory().unwrap();
    session.put_peers(vec![alice()]);
    session.flush().await.unwrap();
    session.put_peers(vec![PeerRow { id: 7, name: "Alicia".into(), partial: true, ..PeerRow::default() }]);
    session.flush().await.unwrap();
    assert_eq!(session.peer(7), Some(PeerRow { name: "Alicia".into(), ..alice() }));
}

#[tokio::test]
async fn a_username_that_changed_hands_belongs_to_the_new_owner() {
    let session = Session::in_memory().unwrap();
    session.put_peers(vec![alice()]);
    session.flush().await.unwrap();
    let bob = PeerRow { id: 8, username: Some("alice".into()), name: "Bob".into(), ..PeerRow::default() };
    session.put_peers(vec![bob.clone()]);
    session.flush().await.unwrap();
    assert_eq!(session.peer_by_username("Alice"), Some(bob));
    assert_eq!(session.peer(7).unwrap().username, None);
}

#[test]
fn a_second_opening_is_refused_and_names_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bot.db");
    let first = Session::open(&path).unwrap();
    let message = Session::open(&path).err().unwrap().to_string();
    assert!(message.contains(&format!("process {}", std::process::id())), "{message}");
    assert!(message.contains("bot.db"), "{message}");
    drop(first);
    Session::open(&path).unwrap();
}

/// Run by the test below, in a process of its own.
#[test]
#[ignore = "a part of another_process_is_refused_until_the_holder_is_killed"]
fn holds_a_session_until_it_is_killed() {
    let Some(path) = std::env::var_os("MOONGRAM_TEST_SESSION") else {
        return;
    };
    let session = Session::open(&path).unwrap();
    session.save_state(UpdateState { pts: 9, ..UpdateState::default() }, []);
    println!("held");
    std::io::stdout().flush().unwrap();
    std::thread::sleep(std::time::Duration::from_secs(20));
    drop(session);
}

#[test]
fn another_process_is_refused_until_the_holder_is_killed() {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bot.db");
    let mut holder = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "storage::tests::holds_a_session_until_it_is_killed"])
        .env("MOONGRAM_TEST_SESSION", &path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(holder.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("held")));
    let message = Session::open(&path).err().unwrap().to_string();
    // Long enough for the commit that nobody asked for.
    std::thread::sleep(std::time::Duration::from_millis(600));
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert!(message.contains(&format!("process {}", holder.id())), "{message}");
    let session = Session::open(&path).unwrap();
    assert_eq!(session.state().unwrap().pts, 9, "a commit survives kill -9");
}

#[test]
fn a_file_that_is_no_session_is_left_as_it_is() {
    fn check(content: &[u8], expected: &str) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bot.db");
        fs::write(&path, content).unwrap();
        let message = Session::open(&path).err().unwrap().to_string();
        assert!(message.contains(expected) && message.contains("bot.db"), "{message}");
        assert_eq!(fs::read(&path).unwrap(), content);
    }
    check(b"this is a letter to my aunt, and nothing else at all", "not a moongram session");
    check(&[0; 8192], "not a moongram session");

    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("other.db");
    let db = rusqlite::Connection::open(&other).unwrap();
    db.execute_batch("CREATE TABLE cake (flour INTEGER)").unwrap();
    drop(db);
    check(&fs::read(&other).unwrap(), "another program");
}

#[test]
fn a_truncated_session_is_reported_as_broken() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bot.db");
    let session = Session::open(&path).unwrap();
    session.put_peers((1..500).map(|id| PeerRow { id, name: "x".repeat(100), ..PeerRow::default() }).collect());
    drop(session);
    let content = fs::read(&path).unwrap();
    let half = &content[..content.len() / 2];
    fs::write(&path, half).unwrap();
    let message = Session::open(&path).err().unwrap().to_string();
    assert!(message.contains("broken") && message.contains("bot.db"), "{message}");
    assert_eq!(fs::read(&path).unwrap(), half);
}

#[test]
fn a_session_of_a_newer_version_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bot.db");
    drop(Session::open(&path).unwrap());
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let message = Session::open(&path).err().unwrap().to_string();
    assert!(message.contains("version 99") && message.contains("newer moongram"), "{message}");
}

#[cfg(unix)]
#[tokio::test]
async fn nobody_else_can_read_a_session() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bot.db");
    let mode = |name: &str| fs::metadata(folder.path().join(name)).unwrap().permissions().mode() & 0o777;
    let session = Session::open(&path).unwrap();
    session.set_key(2, Some(key(1)));
    session.flush().await.unwrap();
    for name in ["bot.db", "bot.db-wal", "bot.db-shm", "bot.db.lock"] {
        assert_eq!(mode(name), 0o600, "{name}");
    }
    drop(session);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let _session = Session::open(&path).unwrap();
    assert_eq!(mode("bot.db"), 0o600, "what was open to others is closed");
}

#[tokio::test]
async fn a_full_disk_is_an_error_and_tried_again() {
    let session = Session::in_memory().unwrap();
    session.flush().await.unwrap();
    // As full as a disk can be: not one page more.
    let limit = |pages: i64| {
        let db = session.0.reader.lock().unwrap();
        db.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(())).unwrap();
    };
    limit(1);
    let rows = (1..500).map(|id| PeerRow { id, name: "x".repeat(100), ..PeerRow::default() });
    session.put_peers(rows.collect());
    let message = session.flush().await.err().unwrap().to_string();
    assert!(message.contains("full"), "{message}");
    limit(1_000_000);
    session.flush().await.unwrap();
    assert_eq!(session.peer(499).unwrap().name.len(), 100);
}

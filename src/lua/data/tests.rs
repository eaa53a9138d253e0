//! A script's paths against a folder that somebody has prepared.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::*;

/// `base` has `scripts/`, `data/`, and a secret.
struct World {
    folder: tempfile::TempDir,
}

impl World {
    fn new() -> World {
        let folder = tempfile::tempdir().unwrap();
        let world = World { folder };
        fs::create_dir(world.at("scripts")).unwrap();
        fs::write(world.at("scripts/weather.lua"), "-- the script").unwrap();
        fs::write(world.at("secret"), "the secret").unwrap();
        world
    }

    fn at(&self, path: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(path)
    }

    /// The script's own folder, made.
    fn own(&self) -> PathBuf {
        let own = self.at("data/weather");
        fs::create_dir_all(&own).unwrap();
        own
    }

    fn data(&self, allow: &[&str]) -> DataFolder {
        let mut spec = ScriptSpec::new("weather", self.at("scripts/weather.lua"), self.at("scripts"));
        spec.allow = allow.iter().map(|grant| (*grant).to_owned()).collect();
        DataFolder::new(&spec, &self.places())
    }

    fn places(&self) -> Places {
        Places {
            data: Some(self.at("data")),
            base: self.at(""),
            protected: vec![self.at("secret"), self.at("secret-wal")],
        }
    }
}

fn read(data: &DataFolder, path: impl AsRef<[u8]>) -> Result<String, DataError> {
    let mut text = String::new();
    data.open(path)?.read_to_string(&mut text).unwrap();
    Ok(text)
}

fn write(data: &DataFolder, path: impl AsRef<[u8]>, text: &str) -> Result<(), DataError> {
    let mut file = data.create(path)?;
    file.write_all(text.as_bytes()).unwrap();
    file.commit()
}

fn names_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_file_is_written_and_read_again_and_belongs_to_its_owner() {
    let world = World::new();
    let data = world.data(&[]);
    write(&data, "photos/2024/cat.jpg", "meow").unwrap();
    assert_eq!(read(&data, "photos/./2024//cat.jpg").unwrap(), "meow");
    write(&data, "photos/2024/cat.jpg", "purr").unwrap();
    assert_eq!(read(&data, "./photos/2024/cat.jpg").unwrap(), "purr");
    assert_eq!(names_in(&world.at("data/weather/photos/2024")), ["cat.jpg"]);
    #[cfg(unix)]
    for (path, mode) in [("data", 0o700), ("data/weather/photos", 0o700), ("data/weather/photos/2024/cat.jpg", 0o600)] {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(world.at(path)).unwrap().permissions().mode() & 0o777, mode, "{path}");
    }
}

#[test]
fn reading_makes_no_folder() {
    let world = World::new();
    assert!(matches!(world.data(&[]).open("cat.jpg"), Err(DataError::NotThere { .. })));
    assert!(!world.at("data").exists());
}

#[test]
fn a_file_that_is_not_committed_was_never_there() {
    let world = World::new();
    let data = world.data(&[]);
    write(&data, "report", "whole").unwrap();
    let mut file = data.create("report").unwrap();
    file.write_all(b"half").unwrap();
    assert_eq!(file.written(), 4);
    assert_eq!(read(&data, "report").unwrap(), "whole");
    drop(file);
    assert_eq!(read(&data, "report").unwrap(), "whole");
    assert_eq!(names_in(&world.own()), ["report"]);
}

#[test]
fn what_a_killed_process_left_is_swept_and_what_is_being_written_is_not() {
    let world = World::new();
    let own = world.own();
    let ago = fs::File::create(own.join("made-now")).unwrap().metadata().unwrap().modified().unwrap()
        - Duration::from_secs(3600);
    let left = fs::File::create(own.join(".part-left")).unwrap();
    left.set_modified(ago).unwrap();
    drop(left);
    fs::File::create(own.join(".part-just-made")).unwrap();
    let written = fs::File::create(own.join(".part-written")).unwrap();
    written.set_modified(ago).unwrap();
    written.lock().unwrap();
    write(&world.data(&[]), "a", "").unwrap();
    assert_eq!(names_in(&own), [".part-just-made", ".part-written", "a", "made-now"]);
}

#[test]
fn two_files_begun_at_once_are_both_kept() {
    let world = World::new();
    let data = world.data(&[]);
    let threads: Vec<_> = (0..8)
        .map(|n| {
            let data = data.clone();
            std::thread::spawn(move || {
                for i in 0..20 {
                    write(&data, format!("{n}/{i}"), "x").unwrap();
                    write(&data, "one for all", "y").unwrap();
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(names_in(&world.own()).len(), 9);
    assert_eq!(names_in(&world.own().join("3")).len(), 20);
}

#[test]
fn a_path_that_is_none_is_refused_before_anything_is_opened() {
    let world = World::new();
    let data = world.data(&[]);
    let long = "x/".repeat(3000);
    let cases: [(&[u8], &str); 9] = [
        (b"", "names no file"),
        (b".", "names no file"),
        (b"../secret", ".. is not followed"),
        (b"a/../../../secret", ".. is not followed"),
        (b"..", "names no file"),
        (b"secret\0.jpg", "NUL"),
        (b"\xff\xfe", "UTF-8"),
        (long.as_bytes(), "too long"),
        (b"a/..", "names no file"),
    ];
    for (path, expected) in cases {
        for error in [data.open(path).err(), data.create(path).err()] {
            let error = error.expect("a refusal").to_string();
            let shown = String::from_utf8_lossy(path);
            assert!(error.contains(expected) || error.contains(".. is not followed"), "{shown}: {error}");
            assert!(error.len() < 300, "{error}");
        }
    }
    let error = data.create("x".repeat(300)).err().unwrap().to_string();
    assert!(error.contains("too long"), "{error}");
    assert!(names_in(&world.at("data/weather")).is_empty());
}

#[test]
fn what_lies_elsewhere_needs_a_grant_which_is_named() {
    let world = World::new();
    fs::create_dir(world.at("shared")).unwrap();
    fs::write(world.at("shared/a"), "shared").unwrap();
    let path = world.at("shared/a").into_os_string().into_string().unwrap();
    let shared = world.at("shared").display().to_string();

    let error = world.data(&[]).open(&path).err().unwrap().to_string();
    assert!(error.contains(&format!("allow = [\"fs:{shared}\"]")), "{error}");
    let error = world.data(&["http:shared", "fs:other"]).create(&path).err().unwrap().to_string();
    assert!(error.contains(&format!("allow = [\"fs-write:{shared}\"]")), "{error}");

    // The grant as it is written, and from the root.
    let reader = world.data(&["fs:shared"]);
    assert_eq!(read(&reader, "shared/a").unwrap(), "shared");
    assert_eq!(read(&reader, &path).unwrap(), "shared");
    let error = write(&reader, "shared/b", "x").err().unwrap().to_string();
    assert!(error.contains("allow = [\"fs-write:shared\"]"), "{error}");
    assert!(!world.at("shared/b").exists());

    let writer = world.data(&[&format!("fs-write:{shared}")]);
    write(&writer, format!("{shared}/new/b"), "x").unwrap();
    assert_eq!(read(&writer, format!("{shared}/new/b")).unwrap(), "x");
    // A name that only begins like the grant is not in it.
    assert!(matches!(writer.open(format!("{shared}x/a")), Err(DataError::NotGranted { .. })));
    assert!(matches!(writer.open(format!("{shared}/../secret")), Err(DataError::Path { .. })));
    let error = world.data(&["fs:nowhere"]).open("nowhere/x").err().unwrap().to_string();
    assert!(error.contains("the folder of the grant fs:nowhere cannot be opened"), "{error}");
}

#[test]
fn the_narrowest_grant_that_allows_it_counts() {
    let world = World::new();
    fs::create_dir_all(world.at("all/inner")).unwrap();
    fs::write(world.at("all/inner/a"), "a").unwrap();
    let data = world.data(&["fs:all", "fs-write:all/inner"]);
    write(&data, "all/inner/b", "b").unwrap();
    assert!(matches!(data.create("all/b"), Err(DataError::NotGranted { .. })));
    let data = world.data(&["fs-write:all", "fs:all/inner"]);
    write(&data, "all/inner/c", "c").unwrap();
    assert_eq!(read(&data, "all/inner/c").unwrap(), "c");
}

#[test]
fn no_grant_opens_the_host_s_own_files_or_writes_among_the_scripts() {
    let world = World::new();
    fs::create_dir_all(world.at("scripts/lib")).unwrap();
    let all = format!("fs-write:{}", world.at("").display());
    for data in [world.data(&["fs-write:."]), world.data(&[&all])] {
        let at = |path: &str| world.at(path).into_os_string().into_string().unwrap();
        for path in ["secret", "SECRET", "secret-wal"] {
            assert!(matches!(data.open(at(path)), Err(DataError::Protected { .. })), "{path}");
            assert!(matches!(data.create(at(path)), Err(DataError::Protected { .. })), "{path}");
        }
        for path in ["scripts/evil.lua", "scripts/lib/evil.lua", "scripts/new/init.lua"] {
            assert!(matches!(data.create(at(path)), Err(DataError::ScriptsFolder { .. })), "{path}");
        }
        assert_eq!(read(&data, at("scripts/weather.lua")).unwrap(), "-- the script");
        write(&data, at("beside"), "x").unwrap();
    }
    let inside = world.data(&["fs-write:scripts/lib"]);
    assert!(matches!(inside.create("scripts/lib/evil.lua"), Err(DataError::ScriptsFolder { .. })));
    assert_eq!(names_in(&world.at("scripts/lib")), Vec::<String>::new());
}

#[test]
fn a_script_called_like_a_file_of_the_host_has_no_folder() {
    let world = World::new();
    let spec = ScriptSpec::new("store.db", world.at("scripts/store.db.lua"), world.at("scripts"));
    let mut places = world.places();
    places.protected.push(world.at("data/store.db"));
    assert!(matches!(DataFolder::new(&spec, &places).create("x"), Err(DataError::Protected { .. })));
    assert!(!world.at("data/store.db").exists());
}

#[test]
fn a_folder_is_not_a_file_and_a_file_is_not_a_folder() {
    let world = World::new();
    fs::create_dir_all(world.own().join("folder")).unwrap();
    fs::write(world.own().join("file"), "").unwrap();
    let data = world.data(&[]);
    assert!(matches!(data.open("folder"), Err(DataError::NotAFile { is: "a folder", .. })));
    assert!(matches!(data.create("folder"), Err(DataError::NotAFile { is: "a folder", .. })));
    assert!(matches!(data.open("file/x"), Err(DataError::NotAFolder { .. })));
    assert!(matches!(data.create("file/x"), Err(DataError::NotAFolder { .. })));
}

#[cfg(unix)]
mod links {
    use std::os::unix::fs::symlink;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn a_link_is_refused_wherever_it_stands_and_wherever_it_leads() {
        let world = World::new();
        let own = world.own();
        fs::write(own.join("plain"), "plain").unwrap();
        fs::create_dir(own.join("inner")).unwrap();
        symlink(world.at("secret"), own.join("out")).unwrap();
        symlink("plain", own.join("inside")).unwrap();
        symlink(world.folder.path(), own.join("folder")).unwrap();
        symlink("inner", own.join("inner-link")).unwrap();
        symlink(world.at("nothing"), own.join("dangling")).unwrap();
        let data = world.data(&[]);
        for path in ["out", "inside", "folder", "folder/secret", "inner-link/x", "dangling"] {
            assert!(matches!(data.open(path), Err(DataError::Link { .. })), "{path}");
            assert!(matches!(data.create(path), Err(DataError::Link { .. })), "{path}");
        }
        assert!(!world.at("nothing").exists());
        assert_eq!(fs::read_to_string(world.at("secret")).unwrap(), "the secret");
    }

    #[test]
    fn a_data_folder_that_is_a_link_is_refused() {
        let world = World::new();
        fs::create_dir(world.at("data")).unwrap();
        symlink(world.folder.path(), world.at("data/weather")).unwrap();
        let data = world.data(&[]);
        assert!(matches!(data.open("secret"), Err(DataError::Link { .. })));
        assert!(matches!(data.create("x"), Err(DataError::Link { .. })));
    }

    #[test]
    fn a_hard_link_is_not_read_and_what_it_leads_to_is_not_written() {
        let world = World::new();
        fs::hard_link(world.at("secret"), world.own().join("hard")).unwrap();
        let data = world.data(&[]);
        assert!(matches!(data.open("hard"), Err(DataError::Link { .. })));
        write(&data, "hard", "mine").unwrap();
        assert_eq!(read(&data, "hard").unwrap(), "mine");
        assert_eq!(fs::read_to_string(world.at("secret")).unwrap(), "the secret");
    }

    #[test]
    fn a_fifo_a_socket_or_a_device_is_neither_opened_nor_waited_for() {
        let world = World::new();
        let own = world.own();
        let fifo = own.join("fifo");
        assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        let _socket = std::os::unix::net::UnixListener::bind(own.join("socket")).unwrap();
        let data = world.data(&["fs-write:/dev"]);
        for path in ["fifo", "socket", "/dev/null", "/dev/zero"] {
            assert!(matches!(data.open(path), Err(DataError::NotAFile { .. })), "{path}");
            assert!(matches!(data.create(path), Err(DataError::NotAFile { .. })), "{path}");
        }
    }

    /// Somebody swaps a folder for a link, and back, as fast as they can.
    #[test]
    fn a_race_of_renames_leads_nowhere() {
        let world = World::new();
        let own = world.own();
        fs::create_dir(own.join("sub")).unwrap();
        fs::write(own.join("sub/secret"), "harmless").unwrap();
        symlink(world.folder.path(), own.join("link")).unwrap();
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    for (from, to) in [("sub", "kept"), ("link", "sub"), ("sub", "link"), ("kept", "sub")] {
                        fs::rename(own.join(from), own.join(to)).unwrap();
                    }
                }
            });
            let data = world.data(&[]);
            let mut harmless = 0;
            let mut refused = 0;
            let mut rounds = 0;
            while rounds < 3_000 || (harmless == 0 || refused == 0) && rounds < 300_000 {
                rounds += 1;
                match read(&data, "sub/secret") {
                    Ok(text) => {
                        assert_eq!(text, "harmless");
                        harmless += 1;
                    }
                    Err(_) => refused += 1,
                }
            }
            stop.store(true, Ordering::Relaxed);
            assert!(harmless > 0 && refused > 0, "the race was run: {harmless} and {refused}");
        });
        assert_eq!(fs::read_to_string(world.at("secret")).unwrap(), "the secret");
    }

    #[test]
    fn a_race_for_the_name_of_a_new_file_writes_to_no_link() {
        let world = World::new();
        let own = world.own();
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let _ = symlink(world.at("secret"), own.join("target"));
                    let _ = fs::remove_file(own.join("target"));
                }
            });
            let data = world.data(&[]);
            let mut written = 0;
            for round in 0..20_000 {
                written += usize::from(write(&data, "target", "mine").is_ok());
                if round >= 500 && written > 0 {
                    break;
                }
            }
            stop.store(true, Ordering::Relaxed);
            assert!(written > 0, "the race was run");
        });
        assert_eq!(fs::read_to_string(world.at("secret")).unwrap(), "the secret");
    }
}

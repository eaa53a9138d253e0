//! The stage for tests that run the program itself: a folder of scripts, a process, and what it printed.
#![allow(dead_code)] // Each test file uses a part.

pub mod hosted;
pub mod town;

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take before a test gives up; two busy cores are slow at times.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A folder that goes away with the test, with scripts in it.
pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn with(files: &[(&str, &str)]) -> Folder {
        let folder = Folder(tempfile::tempdir().expect("a folder"));
        for (name, text) in files {
            folder.write(name, text);
        }
        folder
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.at(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, text).expect("written");
    }
}

/// The program, running: its lines come by channel, so that waiting for one is bounded.
pub struct Program {
    child: Child,
    input: Option<ChildStdin>,
    out: Receiver<String>,
    err: Receiver<String>,
    /// Every line of stderr that was taken so far, for messages of failed tests.
    pub err_seen: Vec<String>,
}

pub fn moongram(arguments: &[&str], folder: &Path) -> Program {
    let mut child = Command::new(env!("CARGO_BIN_EXE_moongram"))
        .args(arguments)
        .current_dir(folder)
        .env_remove("MOONGRAM_LOG")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let out = lines(child.stdout.take().expect("stdout"));
    let err = lines(child.stderr.take().expect("stderr"));
    let input = child.stdin.take();
    Program { child, input, out, err, err_seen: Vec::new() }
}

fn lines(from: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(from).lines() {
            let Ok(line) = line else { return };
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

impl Program {
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Types a line.
    pub fn say(&mut self, line: &str) {
        let input = self.input.as_mut().expect("stdin is open");
        writeln!(input, "{line}").and_then(|()| input.flush()).expect("the program reads");
    }

    /// Types what may be no text.
    pub fn say_bytes(&mut self, bytes: &[u8]) {
        let input = self.input.as_mut().expect("stdin is open");
        input.write_all(bytes).and_then(|()| input.flush()).expect("the program reads");
    }

    /// The next line of stdout.
    pub fn next(&mut self) -> String {
        match self.out.recv_timeout(PATIENCE) {
            Ok(line) => line,
            Err(error) => panic!("no line on stdout ({error}); stderr:\n{}", self.all_err()),
        }
    }

    /// Waits for a line of stderr that holds `part`.
    pub fn err_with(&mut self, part: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.err.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    self.err_seen.push(line.clone());
                    if line.contains(part) {
                        return line;
                    }
                }
                Err(error) => panic!("no {part:?} on stderr ({error}); it has:\n{}", self.err_seen.join("\n")),
            }
        }
    }

    /// All of stderr so far.
    pub fn all_err(&mut self) -> String {
        while let Ok(line) = self.err.recv_timeout(Duration::from_millis(100)) {
            self.err_seen.push(line);
        }
        self.err_seen.join("\n")
    }

    /// Ends the input and waits: the status and the rest of stdout.
    pub fn finish(mut self) -> (ExitStatus, Vec<String>, String) {
        drop(self.input.take());
        let deadline = Instant::now() + PATIENCE;
        let mut rest = Vec::new();
        loop {
            match self.out.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => rest.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("the program does not end; stderr:\n{}", self.all_err()),
            }
        }
        let status = self.child.wait().expect("an exit status");
        let err = self.all_err();
        (status, rest, err)
    }

    /// Asks it to end, as `kill` does.
    pub fn terminate(&self) {
        self.signal("-TERM");
    }

    /// Asks it to read its configuration again.
    pub fn hang_up(&self) {
        self.signal("-HUP");
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill").arg(signal).arg(self.child.id().to_string()).status().expect("kill runs");
        assert!(sent.success());
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("reaped");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks until it is so; fails with `what` when it takes too long.
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

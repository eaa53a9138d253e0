//! What is typed, or comes from a pipe, line by line.

use std::io::{self, BufRead};

use rustyline::config::Configurer;
use rustyline::error::ReadlineError;
use rustyline::history::MemHistory;
use rustyline::{Editor, ExternalPrinter};
use tokio::sync::mpsc;

/// Prints above the line that is being typed.
pub type Printer = Box<dyn ExternalPrinter + Send>;

/// The lines, read by a thread of their own as reading blocks.
pub struct Typed {
    pub lines: mpsc::Receiver<io::Result<String>>,
    prompts: std::sync::mpsc::Sender<String>,
}

impl Typed {
    /// On a terminal lines can be edited and recalled, and what happens meanwhile, the log too, is printed above.
    pub fn start(on_terminal: bool) -> io::Result<(Typed, Option<Printer>)> {
        // One line waits at most: the next is read once this one was said.
        let (sender, lines) = mpsc::channel(1);
        let (prompts, prompted) = std::sync::mpsc::channel::<String>();
        let typed = Typed { lines, prompts };
        if !on_terminal {
            std::thread::spawn(move || {
                // What is no UTF-8 is shown as such, and does not end the chat.
                for line in io::stdin().lock().split(b'\n') {
                    let line = line.map(|line| String::from_utf8_lossy(&line).into_owned());
                    if sender.blocking_send(line).is_err() {
                        return;
                    }
                }
            });
            return Ok((typed, None));
        }
        let mut editor = Editor::<(), MemHistory>::with_history(rustyline::Config::default(), MemHistory::new())
            .map_err(io::Error::other)?;
        editor.set_auto_add_history(true);
        let printer = editor.create_external_printer().map_err(io::Error::other)?;
        super::log::above(Box::new(editor.create_external_printer().map_err(io::Error::other)?));
        std::thread::spawn(move || {
            while let Ok(prompt) = prompted.recv() {
                let line = match editor.readline(&prompt) {
                    Ok(line) => Ok(line),
                    Err(ReadlineError::Eof | ReadlineError::Interrupted) => return,
                    Err(error) => Err(io::Error::other(error)),
                };
                if sender.blocking_send(line).is_err() {
                    return;
                }
            }
        });
        Ok((typed, Some(Box::new(printer))))
    }

    /// Lets the next line be typed.
    pub fn next(&self, prompt: String) {
        // Where the lines have ended nobody prompts any more.
        let _ = self.prompts.send(prompt);
    }
}

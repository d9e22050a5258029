//! Words for people, on standard error.
//!
//! `eprintln!` panics when standard error is a pipe whose reader has left, as in
//! `torc run 1 2>&1 | head`. What nobody hears must not end the work.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

/// Says a line.
pub fn say(line: impl Display) {
    // One write, so that the lines of several programs on one terminal stay whole.
    write(&format!("{line}\n"));
}

/// Asks: a line that the answer will end.
pub fn ask(question: impl Display) {
    write(&question.to_string());
}

fn write(text: &str) {
    // It never fails; see there.
    let _ = Stderr.write_all(text.as_bytes());
}

/// Standard error that takes everything, also when it is gone.
#[derive(Debug, Clone, Copy, Default)]
pub struct Stderr;

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = io::stderr().lock().write_all(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether this stream shows colours: a terminal does, unless `NO_COLOR` is set.
pub fn shows_colors(stream: &impl IsTerminal) -> bool {
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !unwanted && stream.is_terminal()
}

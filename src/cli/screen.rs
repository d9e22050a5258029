//! The terminal: how large it is, and a live view in it.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetwinsize, tcsetattr,
};
use tokio::time::sleep;

/// How much fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Columns; none when nothing limits them, as in a pipe.
    pub columns: Option<usize>,
    /// Rows; none when nothing limits them.
    pub rows: Option<usize>,
}

impl Size {
    /// Of standard output. `COLUMNS` and `LINES` win over what a terminal says.
    pub fn of_output() -> Self {
        let terminal = io::stdout()
            .is_terminal()
            .then(|| tcgetwinsize(io::stdout()).ok())
            .flatten();
        let or_usual = |size: u16, usual: usize| match size {
            // A terminal that does not know, as over a serial line.
            0 => usual,
            size => size.into(),
        };
        Self {
            columns: set("COLUMNS").or(terminal.map(|size| or_usual(size.ws_col, 80))),
            rows: set("LINES").or(terminal.map(|size| or_usual(size.ws_row, 24))),
        }
    }
}

/// What a variable says, if that makes sense.
fn set(name: &str) -> Option<usize> {
    let value = std::env::var(name).ok()?;
    value.parse().ok().filter(|size| (1..=1000).contains(size))
}

/// Whether a live view can redraw in place.
pub fn can_redraw() -> bool {
    let dumb = std::env::var("TERM").is_ok_and(|term| term.is_empty() || term == "dumb");
    io::stdout().is_terminal() && std::env::var_os("TERM").is_some() && !dumb
}

/// The second screen of a terminal, where a live view leaves no traces. Dropping it brings
/// the first one back.
pub struct Live(());

impl Live {
    /// Goes there.
    ///
    /// # Errors
    ///
    /// The terminal cannot be written to.
    pub fn enter() -> io::Result<Self> {
        // First, so that a failure half way brings the old screen back.
        let live = Self(());
        // The other screen, no cursor, no wrapping of lines that are too long.
        put("\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J")?;
        Ok(live)
    }

    /// Shows this instead of what was there.
    ///
    /// # Errors
    ///
    /// The terminal cannot be written to.
    pub fn show(&self, text: &str, rows: usize) -> io::Result<()> {
        let mut frame = "\x1b[H".to_owned();
        for (row, line) in text.lines().take(rows).enumerate() {
            if row > 0 {
                frame.push_str("\r\n");
            }
            frame.push_str(line);
            frame.push_str("\x1b[K");
        }
        // One write with what it overwrites: it does not flicker.
        frame.push_str("\x1b[J");
        put(&frame)
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        let _ = put("\x1b[?7h\x1b[?25h\x1b[?1049l");
    }
}

/// Time between two looks at the keyboard.
const GLANCE: Duration = Duration::from_millis(100);
/// Ctrl-D.
const END_OF_INPUT: u8 = 4;

/// Standard input, letter by letter and without echo. Dropping it brings back what was.
pub struct Keys {
    before: Termios,
}

/// What was pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// The view is to end.
    Quit,
    /// Any other.
    Other,
}

impl Keys {
    /// None when standard input is no terminal, or nobody sees at a terminal what is shown.
    pub fn take() -> Option<Self> {
        let stdin = io::stdin();
        if !stdin.is_terminal() || !io::stdout().is_terminal() {
            return None;
        }
        let before = tcgetattr(&stdin).ok()?;
        let mut single = before.clone();
        single.local_modes &= !(LocalModes::ICANON | LocalModes::ECHO);
        single.special_codes[SpecialCodeIndex::VMIN] = 0;
        single.special_codes[SpecialCodeIndex::VTIME] = 0;
        // Stopped by Ctrl-Z, it would leave the shell on the second screen.
        single.special_codes[SpecialCodeIndex::VSUSP] = 0;
        tcsetattr(&stdin, OptionalActions::Now, &single).ok()?;
        Some(Self { before })
    }

    /// Waits for a key.
    pub async fn next(&self) -> Key {
        let mut pressed = [0_u8; 16];
        loop {
            // It answers at once, with nothing if nothing was pressed.
            match rustix::io::read(io::stdin(), &mut pressed) {
                Ok(0) => sleep(GLANCE).await,
                Ok(count) => {
                    let quits = |key: &u8| matches!(*key, b'q' | b'Q' | END_OF_INPUT);
                    return match pressed[..count].iter().any(quits) {
                        true => Key::Quit,
                        false => Key::Other,
                    };
                }
                // The terminal is gone.
                Err(_) => return Key::Quit,
            }
        }
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
    }
}

fn put(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

//! Asks for a password at the terminal, without showing it.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, ErrorKind, Read, Write};

use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
};
use zeroize::Zeroizing;

/// Bytes of a password that is read at most, so that a file given by mistake is not read to
/// its end.
const LONGEST: usize = 4096;

/// Ctrl-C, Ctrl-D, backspace (either one) and Ctrl-U.
const CANCEL: u8 = 3;
const END: u8 = 4;
const BACKSPACE: [u8; 2] = [8, 127];
const CLEAR: u8 = 21;

/// The terminal, quiet until this goes.
struct Quiet<'a> {
    terminal: &'a File,
    before: Termios,
}

impl<'a> Quiet<'a> {
    fn new(terminal: &'a File) -> io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut quiet = before.clone();
        // Signals too: one that ends the program would leave the terminal like this.
        quiet.local_modes -= LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG;
        quiet.special_codes[SpecialCodeIndex::VMIN] = 1;
        quiet.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(terminal, OptionalActions::Flush, &quiet)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        let _ = tcsetattr(self.terminal, OptionalActions::Now, &self.before);
    }
}

/// Asks at the terminal that the program was started from, wherever its streams go.
///
/// # Errors
///
/// There is no terminal; Ctrl-C ([`ErrorKind::Interrupted`]).
pub fn password(question: &str) -> io::Result<Zeroizing<String>> {
    let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty");
    let mut terminal = terminal
        .map_err(|_none| io::Error::new(ErrorKind::NotFound, "there is no terminal to ask at"))?;
    let given = {
        // Before the question, so that nothing that answers it is shown.
        let mut quiet = Quiet::new(&terminal)?;
        quiet.terminal.write_all(question.as_bytes())?;
        type_in(quiet.terminal)
    };
    terminal.write_all(b"\n")?;
    text(given?)
}

/// What is typed until Enter.
fn type_in(mut keys: impl Read) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut typed = Zeroizing::new(Vec::with_capacity(LONGEST));
    let mut key = [0];
    while keys.read(&mut key)? == 1 {
        match key[0] {
            b'\n' | b'\r' => return Ok(typed),
            CANCEL => break,
            END if typed.is_empty() => break,
            CLEAR => typed.clear(),
            key if BACKSPACE.contains(&key) => {
                // A character, which may have several bytes.
                while typed.pop().is_some_and(|byte| byte & 0xC0 == 0x80) {}
            }
            key if typed.len() < LONGEST => typed.push(key),
            _ => return Err(too_long()),
        }
    }
    Err(io::Error::new(ErrorKind::Interrupted, "cancelled"))
}

/// The first line of a stream, without its end.
///
/// # Errors
///
/// A stream that cannot be read, has nothing, or something that is no text.
pub fn first_line(stream: impl BufRead) -> io::Result<Zeroizing<String>> {
    let mut line = Zeroizing::new(Vec::with_capacity(LONGEST + 2));
    let read = stream
        .take(LONGEST as u64 + 2)
        .read_until(b'\n', &mut line)?;
    if read == 0 {
        let nothing = "there is no password on standard input";
        return Err(io::Error::new(ErrorKind::UnexpectedEof, nothing));
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    if line.len() > LONGEST {
        return Err(too_long());
    }
    text(line)
}

fn text(mut bytes: Zeroizing<Vec<u8>>) -> io::Result<Zeroizing<String>> {
    String::from_utf8(std::mem::take(&mut *bytes))
        .map(Zeroizing::new)
        .map_err(|wrong| {
            drop(Zeroizing::new(wrong.into_bytes()));
            io::Error::new(ErrorKind::InvalidData, "the password is not UTF-8")
        })
}

fn too_long() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, "the password is too long")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(keys: &[u8]) -> Result<String, ErrorKind> {
        let typed = type_in(keys).and_then(text);
        typed
            .map(|text| text.to_string())
            .map_err(|error| error.kind())
    }

    #[test]
    fn keys_make_a_password() {
        assert_eq!(typed(b"secret\nmore"), Ok("secret".to_owned()));
        assert_eq!(typed(b"\r"), Ok(String::new()));
        assert_eq!(typed("aü\u{7f}b\n".as_bytes()), Ok("ab".to_owned()));
        assert_eq!(typed(b"\x08abc\x15xy\x7f\n"), Ok("x".to_owned()));
        assert_eq!(typed(b"abc\x03\n"), Err(ErrorKind::Interrupted));
        assert_eq!(typed(b"\x04"), Err(ErrorKind::Interrupted));
        assert_eq!(typed(b"abc"), Err(ErrorKind::Interrupted));
        assert_eq!(typed(b"\xff\n"), Err(ErrorKind::InvalidData));
        assert_eq!(typed(&[b'a'; LONGEST + 1]), Err(ErrorKind::InvalidData));
    }

    #[test]
    fn a_line_is_read_to_its_end() {
        let read = |text: &str| first_line(text.as_bytes()).map(|line| line.to_string());
        assert_eq!(read("secret\nmore\n").unwrap(), "secret");
        assert_eq!(read("secret\r\n").unwrap(), "secret");
        assert_eq!(read(" s ").unwrap(), " s ");
        assert_eq!(read("\n").unwrap(), "");
        assert!(read("").is_err());
        assert!(read(&"x".repeat(LONGEST)).is_ok());
        assert!(read(&"x".repeat(LONGEST + 1)).is_err());
    }
}

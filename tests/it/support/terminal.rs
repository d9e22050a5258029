//! Somebody who types at a terminal.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use super::process::{HANG, lines, wait_bounded};

/// Runs a line of shell at a terminal of its own, by `script` as it is prepared, and types
/// an answer after each question. Answers the exit code and what was shown.
pub fn type_in(mut script: Command, line: &str, answers: &[&str]) -> (i32, String) {
    script
        .args(["-qec", line, "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = script.spawn().unwrap();
    let mut keys = child.stdin.take().unwrap();
    let mut screen = child.stdout.take().unwrap();
    let mut shown = String::new();
    for answer in answers {
        let until = shown.len();
        while !shown[until..].contains(": ") {
            let mut bytes = [0; 256];
            let read = screen.read(&mut bytes).unwrap();
            assert_ne!(read, 0, "no question: {shown}");
            shown += str::from_utf8(&bytes[..read]).unwrap();
        }
        keys.write_all(answer.as_bytes()).unwrap();
    }
    let rest = lines(screen);
    let code = wait_bounded(&mut child).code().unwrap();
    while let Ok(line) = rest.recv_timeout(HANG) {
        shown += &format!("{line}\n");
    }
    drop(keys);
    (code, shown)
}

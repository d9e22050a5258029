//! Server-sent events: bytes in, frames out, wherever the network cuts the bytes.

use std::collections::VecDeque;

/// A line longer than this is not one of ours; it is dropped with its frame.
const LONGEST_LINE: usize = 1 << 20;

/// One frame: its `event` and its `data`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) event: String,
    pub(super) data: String,
}

/// Collects bytes and gives out the frames that are complete.
#[derive(Debug, Default)]
pub(super) struct Parser {
    line: Vec<u8>,
    /// The line before ended with CR: an LF that comes first now belongs to it.
    after_cr: bool,
    /// The line is too long and its bytes are no longer kept.
    overlong: bool,
    frame: Frame,
    has_data: bool,
    spoiled: bool,
    ready: VecDeque<Frame>,
}

impl Parser {
    /// Takes the next bytes of the stream.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            let after_cr = std::mem::take(&mut self.after_cr);
            match byte {
                b'\n' if after_cr => {}
                b'\n' => self.end_line(),
                b'\r' => {
                    self.after_cr = true;
                    self.end_line();
                }
                _ if self.line.len() >= LONGEST_LINE => self.overlong = true,
                _ => self.line.push(byte),
            }
        }
    }

    /// The next complete frame.
    pub(super) fn pop(&mut self) -> Option<Frame> {
        self.ready.pop_front()
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        if std::mem::take(&mut self.overlong) {
            self.spoiled = true;
        } else if line.is_empty() {
            self.end_frame();
        } else {
            self.field(&String::from_utf8_lossy(&line));
        }
    }

    fn field(&mut self, line: &str) {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "event" => value.clone_into(&mut self.frame.event),
            "data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.frame.data.push('\n');
                }
                self.frame.data.push_str(value);
            }
            // Comments have an empty name; `id` and `retry` mean nothing here.
            _ => {}
        }
    }

    fn end_frame(&mut self) {
        let frame = std::mem::take(&mut self.frame);
        let has_data = std::mem::take(&mut self.has_data);
        let spoiled = std::mem::take(&mut self.spoiled);
        if has_data && !spoiled {
            self.ready.push_back(frame);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Frame, LONGEST_LINE, Parser};

    fn parse(chunks: &[&[u8]]) -> Vec<Frame> {
        let mut parser = Parser::default();
        chunks.iter().for_each(|chunk| parser.push(chunk));
        std::iter::from_fn(|| parser.pop()).collect()
    }

    fn frame(event: &str, data: &str) -> Frame {
        Frame {
            event: event.to_owned(),
            data: data.to_owned(),
        }
    }

    #[test]
    fn the_forms_a_frame_may_have() {
        let text = ": hello\n\nevent: a\ndata: 1\n\ndata:2\r\n\r\nevent: b\rdata: 3\rdata: 4\r\rid: 9\n\ndata\n\n";
        let expected = [
            frame("a", "1"),
            frame("", "2"),
            frame("b", "3\n4"),
            frame("", ""),
        ];
        assert_eq!(parse(&[text.as_bytes()]), expected);
    }

    #[test]
    fn an_unfinished_frame_stays_inside() {
        assert_eq!(parse(&[b"event: a\ndata: 1\n"]), []);
    }

    #[test]
    fn an_endless_line_costs_its_frame_only() {
        let mut text = b"data: ".to_vec();
        text.resize(LONGEST_LINE + 10, b'x');
        text.extend_from_slice(b"\n\ndata: next\n\n");
        assert_eq!(parse(&[&text]), [frame("", "next")]);
    }

    /// Lines that mean something, so that the random text is not all comments.
    fn stream() -> impl Strategy<Value = String> {
        let line = prop_oneof![
            "event: [a-zä]{0,5}",
            "data: ?[a-zé:\\[\\]]{0,9}",
            Just(": note".to_owned()),
            Just(String::new()),
            "[a-z:]{0,6}",
        ];
        let end = prop_oneof![Just("\n"), Just("\r\n"), Just("\r")];
        proptest::collection::vec((line, end), 0..40)
            .prop_map(|lines| lines.into_iter().map(|(line, end)| line + end).collect())
    }

    proptest! {
        #[test]
        fn cutting_the_stream_anywhere_changes_nothing(
            text in stream(),
            cuts in proptest::collection::vec(0_usize..400, 0..20),
        ) {
            let bytes = text.as_bytes();
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let chunks: Vec<_> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            prop_assert_eq!(parse(&chunks), parse(&[bytes]));
        }
    }
}

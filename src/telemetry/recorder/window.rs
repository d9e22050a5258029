//! How a window is asked for: `start`, `reset`, `mark:NAME`, `10s`, `5m`, `1h`.

use std::time::Duration;

/// Marks that are kept, the reset included.
pub const MARKS: usize = 8;
/// The mark that a reset sets.
pub const RESET: &str = "reset";

/// From when on something is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Window {
    /// Since the server started.
    Start,
    /// Since a mark was set.
    Mark(String),
    /// The last so many seconds, an hour at most.
    Last(Duration),
}

/// Why there is no such window, or no such mark can be set; for the user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    /// Nobody set it.
    #[error("there is no mark '{0}'; marks are set by POST /debug/timings/marks/NAME")]
    NoMark(String),
    /// Not a window.
    #[error(
        "unknown window '{0}'; it is start, reset, mark:NAME, 10s, 1m, 5m, 1h or another time up to 1h"
    )]
    Unknown(String),
    /// Too many.
    #[error("there are {MARKS} marks already; remove one by DELETE /debug/timings/marks/NAME")]
    TooMany,
    /// A name that would be hard to ask for.
    #[error("a mark's name has 1 to 40 letters, digits, '-', '_' or '.'")]
    BadName,
}

impl std::str::FromStr for Window {
    type Err = WindowError;

    fn from_str(text: &str) -> Result<Self, WindowError> {
        let unknown = || WindowError::Unknown(text.to_owned());
        match text {
            "start" | "all" => return Ok(Self::Start),
            RESET => return Ok(Self::Mark(RESET.to_owned())),
            _ => {}
        }
        if let Some(name) = text.strip_prefix("mark:") {
            return Ok(Self::Mark(name.to_owned()));
        }
        let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
        let number: u64 = digits.parse().map_err(|_| unknown())?;
        let seconds = match &text[digits.len()..] {
            "s" | "" => Some(number),
            "m" | "min" => number.checked_mul(60),
            "h" => number.checked_mul(3600),
            _ => None,
        };
        match seconds {
            Some(seconds @ 1..=3600) => Ok(Self::Last(Duration::from_secs(seconds))),
            _ => Err(unknown()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_spelt() {
        let last = |seconds| Ok(Window::Last(Duration::from_secs(seconds)));
        assert_eq!("10s".parse(), last(10));
        assert_eq!("5m".parse(), last(300));
        assert_eq!("1h".parse(), last(3600));
        assert_eq!("start".parse(), Ok(Window::Start));
        assert_eq!("mark:a".parse(), Ok(Window::Mark("a".to_owned())));
        for wrong in ["", "0s", "2h", "1x", "s", "99999999999999999999", "é"] {
            assert!(wrong.parse::<Window>().is_err(), "{wrong}");
        }
    }
}

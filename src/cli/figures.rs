//! Figures as people read them, and tables of them that fit a terminal.

use std::fmt::Write;

/// Microseconds: three digits and a unit.
pub fn time(us: f64) -> String {
    let (value, unit) = match us {
        us if us < 1e3 => (us, "us"),
        us if us < 1e6 => (us / 1e3, "ms"),
        us => (us / 1e6, "s"),
    };
    if value >= 1e5 {
        return format!("{value:.1e}{unit}");
    }
    format!("{}{unit}", three_digits(value))
}

/// Reads a time such as `100ms`; answers microseconds.
///
/// # Errors
///
/// What a time looks like.
pub fn micros(text: &str) -> Result<f64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_alphabetic());
    let unit = match &text[digits.len()..] {
        "us" | "µs" => Some(1.0),
        "ms" => Some(1e3),
        "s" => Some(1e6),
        "m" | "min" => Some(60e6),
        _ => None,
    };
    match (digits.parse::<f64>(), unit) {
        (Ok(number), Some(unit)) if (0.0..=1e6).contains(&number) => Ok(number * unit),
        _ => Err("a time is a number with us, ms, s or m behind it, such as 100ms".to_owned()),
    }
}

/// A number of things: whole as long as it is short.
pub fn number(count: u64) -> String {
    match count {
        0..10_000_000 => count.to_string(),
        10_000_000..10_000_000_000 => format!("{:.1}M", count as f64 / 1e6),
        _ => format!("{:.1}G", count as f64 / 1e9),
    }
}

/// How many in a second.
pub fn rate(per_second: f64) -> String {
    match per_second {
        0.0 => "0".to_owned(),
        rate if rate >= 1e5 => format!("{:.0}k", rate / 1e3),
        rate => three_digits(rate),
    }
}

/// A part of the whole.
pub fn percent(part: f64) -> String {
    format!("{:.1}%", part * 100.0)
}

/// A span of seconds in words.
pub fn seconds(total: f64) -> String {
    let whole = total.max(0.0).round() as u64;
    match whole {
        0..60 => format!("{whole} s"),
        60..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole / 60 % 60),
    }
}

/// Bytes in words.
pub fn bytes(bytes: u64) -> String {
    let mebibytes = bytes as f64 / f64::from(1 << 20);
    if mebibytes < 1.0 {
        format!("{:.0} KiB", bytes as f64 / 1024.0)
    } else {
        format!("{mebibytes:.1} MiB")
    }
}

fn three_digits(value: f64) -> String {
    let digits = match value {
        value if value >= 100.0 => 0,
        value if value >= 10.0 => 1,
        _ => 2,
    };
    format!("{value:.digits$}")
}

/// Text in so many columns; what is left out of the middle shows as `…`.
pub fn shortened(text: &str, width: usize) -> String {
    let clean: Vec<char> = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if clean.len() <= width {
        return clean.into_iter().collect();
    }
    let tail = width.saturating_sub(1) / 2;
    let head = width.saturating_sub(1 + tail);
    let mut short: String = clean[..head].iter().collect();
    short.push('…');
    short.extend(&clean[clean.len() - tail..]);
    short
}

/// Text broken between words into lines of at most so many columns, further ones indented.
pub fn wrapped(text: &str, width: Option<usize>) -> String {
    let mut lines = String::new();
    let mut column = 0;
    for word in text.split(' ') {
        let length = word.chars().count();
        if column > 0 && width.is_some_and(|width| column + 1 + length > width) {
            lines.push_str("\n  ");
            column = 2;
        } else if column > 0 {
            lines.push(' ');
            column += 1;
        }
        lines.push_str(word);
        column += length;
    }
    lines
}

/// Rows of figures, each with a name that gives way when the table is too wide.
pub struct Grid {
    heads: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

/// Columns that a name has at least.
const NAME: usize = 12;

impl Grid {
    /// The heading; the first is the name's.
    pub fn new(heads: &[&'static str]) -> Self {
        Self {
            heads: heads.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Adds a row, in the order of the heading.
    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// The table, not wider than `width` if the names can be cut so far.
    pub fn text(&self, width: Option<usize>, colors: bool) -> String {
        let widths: Vec<usize> = self
            .heads
            .iter()
            .enumerate()
            .map(|(place, head)| {
                let cells = self.rows.iter().filter_map(|row| row.get(place));
                let widest = cells.map(|cell| cell.chars().count()).max().unwrap_or(0);
                widest.max(head.chars().count())
            })
            .collect();
        let figures: usize = widths.iter().skip(1).map(|width| width + 1).sum();
        let longest = widths.first().copied().unwrap_or_default();
        let name = width.map_or(longest, |width| {
            longest.min(width.saturating_sub(figures).max(NAME))
        });
        let mut text = String::new();
        let heads: Vec<String> = self.heads.iter().map(|head| head.to_uppercase()).collect();
        let mut line = |cells: &[String], bold: bool| {
            let mut line = String::new();
            for (place, cell) in cells.iter().enumerate() {
                // Writing into a string cannot fail.
                let _ = if place == 0 {
                    write!(line, "{:<name$}", shortened(cell, name))
                } else {
                    let width = widths.get(place).copied().unwrap_or_default();
                    write!(line, " {cell:>width$}")
                };
            }
            let line = line.trim_end();
            if bold && colors {
                text.push_str(&format!("\x1b[1m{line}\x1b[0m\n"));
            } else {
                text.push_str(line);
                text.push('\n');
            }
        };
        line(&heads, true);
        for row in &self.rows {
            line(row, false);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short() {
        let texts = [0.0, 7.26, 72.65, 999.9, 1_234.0, 61e6, 3600e6].map(time);
        let expected = [
            "0.00us", "7.26us", "72.7us", "1000us", "1.23ms", "61.0s", "3600s",
        ];
        assert_eq!(texts, expected);
        assert_eq!(number(9_999_999), "9999999");
        assert_eq!(number(12_345_678), "12.3M");
        assert_eq!(rate(123_456.0), "123k");
        assert_eq!(seconds(3723.0), "1 h 02 min");
        assert_eq!(percent(0.123), "12.3%");
    }

    #[test]
    fn times_need_a_unit() {
        assert_eq!(micros("100ms"), Ok(1e5));
        assert_eq!(micros("1.5s"), Ok(1.5e6));
        assert_eq!(micros("7µs"), Ok(7.0));
        for wrong in [
            "", "100", "ms", "-1s", "1h", "1 ms", "nan s", "NaNs", "infs",
        ] {
            assert!(micros(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn names_give_way_and_figures_do_not() {
        let mut grid = Grid::new(&["route", "count"]);
        grid.row(vec!["GET /workflows/{id}/jobs".to_owned(), "12".to_owned()]);
        grid.row(vec!["é\nx".to_owned(), "3".to_owned()]);
        assert_eq!(
            grid.text(Some(20), false),
            "ROUTE          COUNT\nGET /wo…}/jobs    12\né x                3\n"
        );
        assert!(
            grid.text(None, false)
                .contains("GET /workflows/{id}/jobs    12\n")
        );
        assert_eq!(wrapped("one two three", Some(7)), "one two\n  three");
        assert!(grid.text(Some(20), true).starts_with("\x1b[1mROUTE"));
    }
}

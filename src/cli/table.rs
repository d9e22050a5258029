//! Lists as aligned columns or as CSV.

use std::fmt::Write;

/// One column of a list.
pub struct Column<T> {
    /// Its heading.
    pub name: &'static str,
    /// Whether it is aligned to the right, as numbers are.
    pub right: bool,
    /// What stands in it.
    pub cell: fn(&T) -> String,
    /// Whether its words are statuses, to be coloured.
    pub is_status: bool,
}

impl<T> Column<T> {
    /// A column of text.
    pub const fn text(name: &'static str, cell: fn(&T) -> String) -> Self {
        Self {
            name,
            right: false,
            cell,
            is_status: false,
        }
    }

    /// A column of numbers.
    pub const fn number(name: &'static str, cell: fn(&T) -> String) -> Self {
        Self {
            right: true,
            ..Self::text(name, cell)
        }
    }

    /// A column of statuses.
    pub const fn status(name: &'static str, cell: fn(&T) -> String) -> Self {
        Self {
            is_status: true,
            ..Self::text(name, cell)
        }
    }
}

/// Characters of a cell before it is cut in a table; CSV and JSON have it whole.
const WIDEST: usize = 60;

/// The rows under their headings, columns aligned.
pub fn table<T>(rows: &[T], columns: &[Column<T>], colors: bool) -> String {
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            columns
                .iter()
                .map(|column| shown(&(column.cell)(row)))
                .collect()
        })
        .collect();
    let widths: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(place, column)| {
            let cells = cells.iter().map(|row| row[place].chars().count());
            cells.max().unwrap_or(0).max(column.name.len())
        })
        .collect();
    let mut text = String::new();
    let heading: Vec<String> = columns.iter().map(|c| c.name.to_uppercase()).collect();
    push_row(
        &mut text,
        &heading,
        columns,
        &widths,
        colors.then_some(Paint::Heading),
    );
    for row in &cells {
        push_row(
            &mut text,
            row,
            columns,
            &widths,
            colors.then_some(Paint::Row),
        );
    }
    text
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Paint {
    Heading,
    Row,
}

fn push_row<T>(
    text: &mut String,
    row: &[String],
    columns: &[Column<T>],
    widths: &[usize],
    paint: Option<Paint>,
) {
    let mut line = String::new();
    for ((cell, column), width) in row.iter().zip(columns).zip(widths) {
        let padding = " ".repeat(width - cell.chars().count());
        let painted = match paint {
            Some(Paint::Heading) => format!("\x1b[1m{cell}\x1b[0m"),
            Some(Paint::Row) if column.is_status => colored(cell),
            _ => cell.clone(),
        };
        if !line.is_empty() {
            line.push_str("  ");
        }
        if column.right {
            line = line + &padding + &painted;
        } else {
            line = line + &painted + &padding;
        }
    }
    text.push_str(line.trim_end());
    text.push('\n');
}

/// One line, and not too long a one.
fn shown(cell: &str) -> String {
    let mut chars = cell.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut shown: String = chars.by_ref().take(WIDEST).collect();
    if chars.next().is_some() {
        shown.pop();
        shown.push('…');
    }
    shown
}

/// A status in its colour.
pub fn colored(status: &str) -> String {
    let color = match status {
        "completed" | "yes" => "32",
        "failed" | "terminated" | "pending_failed" => "31",
        "canceled" => "33",
        "running" | "pending" => "36",
        _ => return status.to_owned(),
    };
    format!("\x1b[{color}m{status}\x1b[0m")
}

/// Names and values, one pair to a line, values aligned.
pub fn lines(pairs: &[(&str, String)]) -> String {
    let width = pairs.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for (name, value) in pairs {
        let line = format!("{:<width$}  {value}", format!("{name}:"), width = width + 1);
        // Writing into a string cannot fail.
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

/// The rows as CSV with a heading, as RFC 4180 has it.
pub fn csv<T>(rows: &[T], columns: &[Column<T>]) -> String {
    let heading: Vec<String> = columns.iter().map(|c| field(c.name)).collect();
    let mut text = heading.join(",") + "\n";
    for row in rows {
        let cells: Vec<String> = columns.iter().map(|c| field(&(c.cell)(row))).collect();
        text.push_str(&cells.join(","));
        text.push('\n');
    }
    text
}

fn field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::{Column, csv, lines, table};

    type Row = (i64, String);

    const COLUMNS: [Column<Row>; 2] = [
        Column::number("id", |row| row.0.to_string()),
        Column::status("status", |row| row.1.clone()),
    ];

    fn row(id: i64, status: &str) -> Row {
        (id, status.to_owned())
    }

    #[test]
    fn columns_are_aligned_and_plain_without_a_terminal() {
        let rows = [row(1, "completed"), row(100, "ready")];
        assert_eq!(
            table(&rows, &COLUMNS, false),
            " ID  STATUS\n  1  completed\n100  ready\n"
        );
        let colors = table(&rows, &COLUMNS, true);
        assert!(colors.contains("\x1b[32mcompleted\x1b[0m"), "{colors:?}");
        assert_eq!(table(&[], &COLUMNS, false), "ID  STATUS\n");
    }

    #[test]
    fn long_and_many_lined_cells_are_cut_in_tables_alone() {
        let long = "a\n".repeat(100);
        let rows = [row(1, &long)];
        assert_eq!(table(&rows, &COLUMNS, false).lines().count(), 2);
        assert!(csv(&rows, &COLUMNS).contains(&long));
    }

    #[test]
    fn csv_quotes_what_needs_it() {
        assert_eq!(
            csv(&[row(1, "a,\"b\"")], &COLUMNS),
            "id,status\n1,\"a,\"\"b\"\"\"\n"
        );
    }

    #[test]
    fn pairs_are_aligned() {
        let pairs = [("Name", "x".to_owned()), ("Workflow", "1".to_owned())];
        assert_eq!(lines(&pairs), "Name:      x\nWorkflow:  1\n");
    }
}

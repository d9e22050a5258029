//! The diagnosis for people: the verdict first, then what it rests on, then what to do.

use std::fmt::Write;

use super::finding::{Diagnosis, Evidence, Finding, Severity, State, time};

/// Columns after which sentences are broken.
const WIDTH: usize = 96;

/// All of a diagnosis.
pub fn text(diagnosis: &Diagnosis, colors: bool) -> String {
    let mut text = String::new();
    if diagnosis.state != State::Sick {
        let color = match diagnosis.state {
            State::Healthy => "32",
            State::Blind => "33",
            State::Idle | State::Sick => "36",
        };
        text.push_str(&wrapped(&diagnosis.verdict, "", color, colors));
    }
    for (at, finding) in diagnosis.findings.iter().enumerate() {
        if at > 0 {
            text.push('\n');
        }
        write_finding(&mut text, finding, colors);
    }
    if !matches!(diagnosis.state, State::Idle | State::Blind) {
        let window = time(diagnosis.window_s * 1e6);
        let _ = writeln!(text, "\nThe last {window}");
        write_table(&mut text, &diagnosis.evidence);
    }
    if !diagnosis.unknown.is_empty() {
        let pages = diagnosis.unknown.join(", ");
        let _ = writeln!(
            text,
            "\nNot known, because this server does not tell: {pages}"
        );
    }
    text
}

fn write_finding(text: &mut String, finding: &Finding, colors: bool) {
    let (word, color) = match finding.severity {
        Severity::Problem => ("problem", "31"),
        Severity::Warning => ("warning", "33"),
    };
    let verdict = format!("{} ({word}): {}", finding.name, finding.verdict);
    text.push_str(&wrapped(&verdict, "", color, colors));
    text.push('\n');
    write_table(text, &finding.evidence);
    let _ = writeln!(text, "\n  What to do");
    for sentence in &finding.advice {
        text.push_str(&wrapped(&format!("- {sentence}"), "    ", "", false));
    }
}

/// Figures below one another, and how much is too much.
fn write_table(text: &mut String, evidence: &[Evidence]) {
    let figures = evidence.iter().map(|one| one.figure.chars().count());
    let widest = figures.max().unwrap_or(0);
    for one in evidence {
        let limit = match &one.limit {
            Some(limit) => format!("  (too much from {limit} on)"),
            None => String::new(),
        };
        let _ = writeln!(text, "  {:<widest$}  {:>9}{limit}", one.figure, one.value);
    }
}

/// A sentence over as many lines as it needs, the further ones indented.
fn wrapped(sentence: &str, indent: &str, color: &str, colors: bool) -> String {
    let mut lines = vec![indent.to_owned()];
    let mut fresh = true;
    for word in sentence.split(' ') {
        let Some(line) = lines.last_mut() else { break };
        if !fresh && line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push(format!("{indent}  {word}"));
        } else {
            if !fresh {
                line.push(' ');
            }
            line.push_str(word);
        }
        fresh = false;
    }
    let joined = lines.join("\n");
    if colors {
        format!("\x1b[1;{color}m{joined}\x1b[0m\n")
    } else {
        joined + "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::wrapped;

    #[test]
    fn long_sentences_are_broken_between_words() {
        let sentence = "word ".repeat(40);
        let lines = wrapped(sentence.trim(), "  ", "", false);
        assert!(lines.lines().count() > 2);
        assert!(lines.lines().all(|line| line.chars().count() <= 96));
        assert_eq!(lines.split_whitespace().count(), 40);
        assert!(wrapped("a", "", "31", true).starts_with("\x1b[1;31ma"));
    }
}

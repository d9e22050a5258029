//! YAML to the tree: the core schema of YAML 1.2, anchors and aliases.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};

use super::problem::Problems;
use super::tree::{Entry, Kind, Spanned, Spot, Value};
use super::unique::check_unique;

/// How deep lists and objects may nest.
const DEEPEST: usize = 128;
/// Values that aliases may copy in all; a few lines of YAML can ask for billions.
const MOST_COPIES: usize = 1_000_000;

/// The tree of a YAML text; `None` if it could not be read, which is then noted.
pub fn parse(text: &str, problems: &Problems) -> Option<Value> {
    let mut builder = Builder::new(problems);
    for event in Parser::new_from_str(text) {
        match event {
            Ok((event, span)) => builder.event(event, span)?,
            Err(error) => {
                let message = format!("not valid YAML: {}", error.info());
                problems.push(spot(error.marker()), message, tab_help(text, &error));
                return None;
            }
        }
    }
    if builder.root.is_none() {
        problems.add(Spot::START, "the file is empty");
    }
    builder.root
}

/// The commonest trap of YAML: a tab where the eye sees blanks.
fn tab_help(text: &str, error: &saphyr_parser::ScanError) -> Option<String> {
    let line = text.lines().nth(error.marker().line().saturating_sub(1))?;
    let indent = &line[..line.len() - line.trim_start().len()];
    indent
        .contains('\t')
        .then(|| "this line is indented with a tab; YAML takes blanks only".to_owned())
}

fn spot(marker: &saphyr_parser::Marker) -> Spot {
    Spot {
        line: u32::try_from(marker.line()).unwrap_or(u32::MAX).max(1),
        column: u32::try_from(marker.col() + 1).unwrap_or(u32::MAX),
    }
}

/// A list or object whose end has not come yet.
enum Open {
    List(Spot, usize, Vec<Value>),
    Map(Spot, usize, Vec<Entry>, Option<Spanned<String>>),
}

/// Puts the events of the parser together.
struct Builder<'p> {
    problems: &'p Problems,
    open: Vec<Open>,
    root: Option<Value>,
    anchors: HashMap<usize, Value>,
    copies: usize,
}

impl<'p> Builder<'p> {
    fn new(problems: &'p Problems) -> Self {
        Self {
            problems,
            open: Vec::new(),
            root: None,
            anchors: HashMap::new(),
            copies: 0,
        }
    }

    /// Takes the next event; `None` means that going on makes no sense.
    fn event(&mut self, event: Event<'_>, span: Span) -> Option<()> {
        let at = spot(&span.start);
        match event {
            Event::DocumentStart(_) if self.root.is_some() => {
                let message = "a second YAML document begins here; a spec is one document";
                self.problems.add(at, message);
                return None;
            }
            Event::Scalar(text, style, anchor, tag) => {
                let value = self.scalar(&text, style, tag.as_deref(), at);
                self.finish(Spanned { at, value }, anchor);
            }
            Event::SequenceStart(anchor, _) => {
                self.deeper(Open::List(at, anchor, Vec::new()), at)?;
            }
            Event::MappingStart(anchor, _) => {
                self.deeper(Open::Map(at, anchor, Vec::new(), None), at)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(anchor) => self.alias(anchor, at)?,
            _ => {}
        }
        Some(())
    }

    fn deeper(&mut self, open: Open, at: Spot) -> Option<()> {
        if self.open.len() >= DEEPEST {
            let message = format!("nested deeper than {DEEPEST} levels");
            self.problems.add(at, message);
            return None;
        }
        self.open.push(open);
        Some(())
    }

    fn close(&mut self) {
        match self.open.pop() {
            Some(Open::List(at, anchor, items)) => {
                let value = Kind::List(items);
                self.finish(Spanned { at, value }, anchor);
            }
            Some(Open::Map(at, anchor, entries, _)) => {
                let value = Kind::Map(check_unique(entries, self.problems));
                self.finish(Spanned { at, value }, anchor);
            }
            None => {}
        }
    }

    fn alias(&mut self, anchor: usize, at: Spot) -> Option<()> {
        // An alias within its own anchor finds nothing yet.
        let Some(value) = self.anchors.get(&anchor) else {
            self.problems
                .add(at, "this alias stands inside of what it repeats");
            return None;
        };
        self.copies += size(value);
        if self.copies > MOST_COPIES {
            let message = format!("aliases repeat more than {MOST_COPIES} values");
            self.problems.add(at, message);
            return None;
        }
        let value = value.clone();
        self.finish(value, 0);
        Some(())
    }

    /// Puts a complete value where it belongs.
    fn finish(&mut self, value: Value, anchor: usize) {
        if anchor != 0 {
            self.anchors.insert(anchor, value.clone());
        }
        match self.open.last_mut() {
            None => self.root = Some(value),
            Some(Open::List(_, _, items)) => items.push(value),
            Some(Open::Map(_, _, entries, key)) => match key.take() {
                Some(key) => entries.push(Entry { key, value }),
                None => *key = Some(key_of(value, self.problems)),
            },
        }
    }

    fn scalar(&self, text: &str, style: ScalarStyle, tag: Option<&Tag>, at: Spot) -> Kind {
        let plain = style == ScalarStyle::Plain;
        let kind = match tag {
            None if plain => resolve(text),
            None => Some(Kind::Text(text.to_owned())),
            Some(tag) if tag.is_yaml_core_schema() && tag.suffix != "str" => resolve(text),
            Some(tag) if tag.is_yaml_core_schema() => Some(Kind::Text(text.to_owned())),
            Some(tag) => {
                let message = format!("the YAML tag `{tag}` means nothing here");
                self.problems.add(at, message);
                Some(Kind::Null)
            }
        };
        kind.unwrap_or_else(|| {
            let message = format!("`{text}` is not a finite number");
            self.problems
                .add_with_help(at, message, "put it into quotes if it is text");
            Kind::Null
        })
    }
}

/// A key as text: `1: x` has the key `1`, as in JSON.
fn key_of(value: Value, problems: &Problems) -> Spanned<String> {
    let at = value.at;
    let text = match value.value {
        Kind::Text(text) => text,
        Kind::Int(_, text) | Kind::Float(_, text) | Kind::Bool(_, text) => text.into(),
        Kind::Null => "null".to_owned(),
        Kind::List(_) | Kind::Map(_) => {
            let help = "text with braces or brackets needs quotes in YAML";
            problems.add_with_help(at, "a key must be a string", help);
            String::new()
        }
    };
    Spanned { at, value: text }
}

/// What a plain scalar is by the core schema; `None` for infinity and not-a-number.
fn resolve(text: &str) -> Option<Kind> {
    Some(match text {
        "" | "~" | "null" | "Null" | "NULL" => Kind::Null,
        "true" | "True" | "TRUE" => Kind::Bool(true, text.into()),
        "false" | "False" | "FALSE" => Kind::Bool(false, text.into()),
        _ => return number(text),
    })
}

fn number(text: &str) -> Option<Kind> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(
        unsigned,
        ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN"
    ) {
        return None;
    }
    let radix = [("0x", 16), ("0o", 8)];
    for (prefix, radix) in radix {
        if let Some(digits) = text.strip_prefix(prefix)
            && let Ok(value) = i64::from_str_radix(digits, radix)
        {
            return Some(Kind::Int(value, text.into()));
        }
    }
    // The first letter keeps Rust's own words for infinity out.
    let numeric = unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    if numeric && let Ok(value) = text.parse() {
        return Some(Kind::Int(value, text.into()));
    }
    match text.parse::<f64>() {
        Ok(value) if numeric && value.is_finite() => Some(Kind::Float(value, text.into())),
        _ => Some(Kind::Text(text.to_owned())),
    }
}

/// How many values a value consists of.
fn size(value: &Value) -> usize {
    match &value.value {
        Kind::List(items) => 1 + items.iter().map(size).sum::<usize>(),
        Kind::Map(entries) => 1 + entries.iter().map(|e| size(&e.value)).sum::<usize>(),
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::parse;
    use crate::spec::problem::Problems;

    fn json(text: &str) -> serde_json::Value {
        let problems = Problems::default();
        let tree = parse(text, &problems).expect("a tree");
        assert_eq!(problems.into_sorted(), []);
        tree.to_json()
    }

    fn errors(text: &str) -> Vec<String> {
        let problems = Problems::default();
        parse(text, &problems);
        problems
            .into_sorted()
            .into_iter()
            .map(|p| format!("{}:{}: {}", p.line, p.column, p.message))
            .collect()
    }

    #[test]
    fn scalars_follow_the_core_schema() {
        let text = "{a: 1, b: -2, c: 1.5, d: 0x10, e: 'x', f: yes, g: null, h: True, i: 1:10, j: 1e3, k: infinity, l: '1', m: 0o10, n: !!str 5, o: .5, p: 1_000}";
        let expected = serde_json::json!({
            "a": 1, "b": -2, "c": 1.5, "d": 16, "e": "x", "f": "yes", "g": null, "h": true,
            "i": "1:10", "j": 1000.0, "k": "infinity", "l": "1", "m": 8, "n": "5", "o": 0.5,
            "p": "1_000",
        });
        assert_eq!(json(text), expected);
    }

    #[test]
    fn aliases_are_copies() {
        let text = "a: &x [1, {b: 2}]\nc: *x\n";
        assert_eq!(
            json(text),
            serde_json::json!({"a": [1, {"b": 2}], "c": [1, {"b": 2}]})
        );
    }

    #[test]
    fn what_cannot_be_read_names_its_place() {
        assert_eq!(
            errors("a: 1\nb: 2\na: 3\n"),
            ["3:1: the key `a` was given before, in line 1"]
        );
        assert_eq!(
            errors("a: 1\n---\nb: 2\n"),
            ["2:1: a second YAML document begins here; a spec is one document"]
        );
        assert_eq!(errors("a: .inf"), ["1:4: `.inf` is not a finite number"]);
        assert_eq!(
            errors("a: &x [*x]"),
            ["1:8: this alias stands inside of what it repeats"]
        );
        assert_eq!(errors("# nothing\n"), ["1:1: the file is empty"]);
        assert_eq!(errors("a: [1, 2\nb: 3\n").len(), 1);
    }

    #[test]
    fn bombs_do_not_go_off() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..10 {
            let inner = format!("*a{}, ", level - 1).repeat(9);
            text += &format!("a{level}: &a{level} [{inner}]\n");
        }
        assert_eq!(errors(&text).len(), 1);
        let deep = "[".repeat(10_000);
        assert_eq!(errors(&deep).len(), 1);
    }
}

//! JSON and JSON5 to the tree.

use jsonc_parser::ast;
use jsonc_parser::common::Ranged;
use jsonc_parser::errors::ParseError;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

use super::problem::Problems;
use super::tree::{Entry, Kind, Spanned, Spot, Value};
use super::unique::check_unique;

/// How much more than JSON is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// JSON as in its standard.
    Strict,
    /// JSON5: comments, trailing commas, names without quotes and so on.
    Json5,
}

/// The tree of a JSON text; `None` if it could not be read, which is then noted.
pub fn parse(text: &str, dialect: Dialect, problems: &Problems) -> Option<Value> {
    let lines = LineIndex::new(text);
    match parse_to_ast(text, &CollectOptions::default(), &options(dialect)) {
        Ok(result) => match result.value {
            Some(value) => convert(value, &lines, problems),
            None => {
                problems.add(Spot::START, "the file is empty");
                None
            }
        },
        Err(error) => {
            report(&error, dialect, &lines, problems);
            None
        }
    }
}

fn options(dialect: Dialect) -> ParseOptions {
    let loose = dialect == Dialect::Json5;
    ParseOptions {
        allow_comments: loose,
        allow_loose_object_property_names: loose,
        allow_trailing_commas: loose,
        // Not even JSON5 does without commas.
        allow_missing_commas: false,
        allow_single_quoted_strings: loose,
        allow_hexadecimal_numbers: loose,
        allow_unary_plus_numbers: loose,
        allow_bare_decimal_point_numbers: loose,
        allow_non_finite_numbers: loose,
        allow_extended_string_escapes: loose,
    }
}

fn report(error: &ParseError, dialect: Dialect, lines: &LineIndex<'_>, problems: &Problems) {
    use jsonc_parser::errors::ParseErrorKind as E;
    let help = match error.kind() {
        E::CommentsNotAllowed
        | E::TrailingCommasNotAllowed
        | E::SingleQuotedStringsNotAllowed
        | E::ExpectedStringObjectProperty
        | E::HexadecimalNumbersNotAllowed
            if dialect == Dialect::Strict =>
        {
            Some("JSON5 allows this: name the file .json5".to_owned())
        }
        _ => None,
    };
    let message = format!("not valid JSON: {}", lowered(&error.kind().to_string()));
    problems.push(lines.spot(error.range().start), message, help);
}

/// A sentence made to follow a colon.
fn lowered(sentence: &str) -> String {
    let mut chars = sentence.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_lowercase().chain(chars).collect()
    })
}

fn convert(value: ast::Value<'_>, lines: &LineIndex<'_>, problems: &Problems) -> Option<Value> {
    let at = lines.spot(value.start());
    let kind = match value {
        ast::Value::NullKeyword(_) => Kind::Null,
        ast::Value::BooleanLit(literal) => {
            Kind::Bool(literal.value, literal.value.to_string().into())
        }
        ast::Value::StringLit(literal) => Kind::Text(literal.value.into_owned()),
        ast::Value::NumberLit(literal) => match number(literal.value) {
            Some(kind) => kind,
            None => {
                problems.add(at, format!("`{}` is not a finite number", literal.value));
                return None;
            }
        },
        ast::Value::Array(array) => Kind::List(
            array
                .elements
                .into_iter()
                .filter_map(|element| convert(element, lines, problems))
                .collect(),
        ),
        ast::Value::Object(object) => {
            let entries: Vec<Entry> = object
                .properties
                .into_iter()
                .filter_map(|property| {
                    let at = lines.spot(property.name.start());
                    let value = convert(property.value, lines, problems)?;
                    let key = Spanned {
                        at,
                        value: property.name.into_string(),
                    };
                    Some(Entry { key, value })
                })
                .collect();
            Kind::Map(check_unique(entries, problems))
        }
    };
    Some(Spanned { at, value: kind })
}

/// A number of JSON5, of which JSON's are a part.
fn number(written: &str) -> Option<Kind> {
    let text = written;
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let hexadecimal = digits
        .strip_prefix("0x")
        .or_else(|| digits.strip_prefix("0X"));
    if let Some(hexadecimal) = hexadecimal {
        let value = i64::from_str_radix(hexadecimal, 16).ok()?;
        let value = if negative { -value } else { value };
        return Some(Kind::Int(value, written.into()));
    }
    let text = text.strip_prefix('+').unwrap_or(text);
    if let Ok(value) = text.parse() {
        return Some(Kind::Int(value, written.into()));
    }
    let value: f64 = text.parse().ok()?;
    value
        .is_finite()
        .then(|| Kind::Float(value, written.into()))
}

/// Finds line and column of a byte, quickly also where all is on one long line.
struct LineIndex<'t> {
    bytes: &'t [u8],
    /// Where lines begin.
    starts: Vec<usize>,
    /// Characters before each block of [`BLOCK`] bytes.
    chars_before: Vec<usize>,
}

const BLOCK: usize = 1024;

impl<'t> LineIndex<'t> {
    fn new(text: &'t str) -> Self {
        let bytes = text.as_bytes();
        let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        let starts = std::iter::once(0)
            .chain(ends.map(|(index, _)| index + 1))
            .collect();
        let counts = bytes.chunks(BLOCK).scan(0, |sum, block| {
            *sum += chars_in(block);
            Some(*sum)
        });
        let chars_before = std::iter::once(0).chain(counts).collect();
        Self {
            bytes,
            starts,
            chars_before,
        }
    }

    fn spot(&self, byte: usize) -> Spot {
        let byte = byte.min(self.bytes.len());
        let line = self.starts.partition_point(|start| *start <= byte).max(1);
        let column = self.char_index(byte) - self.char_index(self.starts[line - 1]);
        Spot {
            line: u32::try_from(line).unwrap_or(u32::MAX),
            column: u32::try_from(column + 1).unwrap_or(u32::MAX),
        }
    }

    fn char_index(&self, byte: usize) -> usize {
        let block = byte / BLOCK;
        self.chars_before[block] + chars_in(&self.bytes[block * BLOCK..byte])
    }
}

/// Characters that begin within the bytes.
fn chars_in(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte & 0xC0 != 0x80).count()
}

#[cfg(test)]
mod tests {
    use super::{Dialect, parse};
    use crate::spec::problem::Problems;
    use crate::spec::tree::Kind;

    fn errors(text: &str, dialect: Dialect) -> Vec<String> {
        let problems = Problems::default();
        parse(text, dialect, &problems);
        problems
            .into_sorted()
            .into_iter()
            .map(|p| format!("{}:{}: {}", p.line, p.column, p.message))
            .collect()
    }

    #[test]
    fn json5_is_read_as_json5_and_refused_as_json() {
        let text = "// a comment\n{name: 'ä', n: 0x10, f: .5,}";
        let tree = parse(text, Dialect::Json5, &Problems::default()).unwrap();
        let expected = serde_json::json!({"name": "ä", "n": 16, "f": 0.5});
        assert_eq!(tree.to_json(), expected);
        assert_eq!(
            errors(text, Dialect::Strict),
            ["1:1: not valid JSON: comments are not allowed"]
        );
    }

    #[test]
    fn places_count_characters_from_one() {
        let text = "{\n  \"ä\": {\"x\": 1}}";
        let tree = parse(text, Dialect::Strict, &Problems::default()).unwrap();
        let Kind::Map(entries) = &tree.value else {
            panic!("not an object")
        };
        let (key, value) = (&entries[0].key.at, &entries[0].value.at);
        assert_eq!((key.line, key.column), (2, 3));
        assert_eq!((value.line, value.column), (2, 8));
    }

    #[test]
    fn every_duplicate_key_is_told() {
        let text = "{\"a\": 1, \"a\": 2,\n \"b\": {\"c\": 1, \"c\": 2}}";
        assert_eq!(
            errors(text, Dialect::Strict),
            [
                "1:10: the key `a` was given before, in line 1",
                "2:16: the key `c` was given before, in line 2"
            ]
        );
    }

    #[test]
    fn broken_text_names_its_place() {
        assert_eq!(
            errors("{\"a\": [1, 2}", Dialect::Strict),
            ["1:12: not valid JSON: unexpected close brace"]
        );
        assert_eq!(errors("", Dialect::Json5), ["1:1: the file is empty"]);
        assert_eq!(
            errors("{a: Infinity}", Dialect::Json5),
            ["1:5: `Infinity` is not a finite number"]
        );
    }
}

//! One tree for all formats: JSON's values, each with the place where it stands.

use serde_json::{Map, Number};

/// A place in the source, both counted from 1; columns are characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Spot {
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
}

impl Spot {
    /// The first character of the source.
    pub const START: Self = Self { line: 1, column: 1 };
}

/// Something and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Spanned<T> {
    /// Where.
    pub at: Spot,
    /// What.
    pub value: T,
}

/// A value of the source.
pub type Value = Spanned<Kind>;

/// A value as the source writes it: `1.10` is a number, and as text it is not `1.1`.
pub type Written = Box<str>;

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// Nothing; a key with this value counts as absent.
    Null,
    /// `true` or `false`.
    Bool(bool, Written),
    /// A whole number.
    Int(i64, Written),
    /// Any other number, always finite.
    Float(f64, Written),
    /// A string.
    Text(String),
    /// A list.
    List(Vec<Value>),
    /// An object; its keys are unique and in the order of the source.
    Map(Vec<Entry>),
}

/// One key of an object.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key and where it stands.
    pub key: Spanned<String>,
    /// What is under it.
    pub value: Value,
}

impl Value {
    /// What the value is, in an error message's words.
    pub fn noun(&self) -> &'static str {
        match &self.value {
            Kind::Null => "nothing",
            Kind::Bool(..) => "a boolean",
            Kind::Int(..) => "an integer",
            Kind::Float(..) => "a number",
            Kind::Text(_) => "a string",
            Kind::List(_) => "a list",
            Kind::Map(_) => "an object",
        }
    }

    /// The text of a string, and of whatever else is written in one word.
    pub fn as_written(&self) -> Option<&str> {
        match &self.value {
            Kind::Text(text) => Some(text),
            Kind::Bool(_, text) | Kind::Int(_, text) | Kind::Float(_, text) => Some(text),
            Kind::Null | Kind::List(_) | Kind::Map(_) => None,
        }
    }

    /// The value as JSON, without its places.
    pub fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Kind::Null => serde_json::Value::Null,
            Kind::Bool(value, _) => (*value).into(),
            Kind::Int(value, _) => (*value).into(),
            Kind::Float(value, _) => {
                Number::from_f64(*value).map_or(serde_json::Value::Null, Into::into)
            }
            Kind::Text(value) => value.clone().into(),
            Kind::List(items) => items.iter().map(Self::to_json).collect(),
            Kind::Map(entries) => to_json_map(entries).into(),
        }
    }
}

/// The entries as a JSON object.
pub fn to_json_map(entries: &[Entry]) -> Map<String, serde_json::Value> {
    entries
        .iter()
        .map(|entry| (entry.key.value.clone(), entry.value.to_json()))
        .collect()
}

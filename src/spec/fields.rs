//! Reads the keys of one object, and tells about those that nobody asked for.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::problem::Problems;
use super::suggest::did_you_mean;
use super::tree::{Entry, Kind, Spanned, Spot, Value};

/// A string and where it stands.
pub type Text = Spanned<String>;

/// The keys of one object. Every key must be asked for before [`Fields::finish`].
pub struct Fields<'t> {
    /// Where the object begins.
    pub at: Spot,
    noun: &'static str,
    entries: &'t [Entry],
    problems: &'t Problems,
    known: RefCell<Vec<&'static str>>,
}

impl<'t> Fields<'t> {
    /// The keys of `value`, which `noun` describes in errors; `None` if it is no object.
    pub fn of(value: &'t Value, noun: &'static str, problems: &'t Problems) -> Option<Self> {
        let Kind::Map(entries) = &value.value else {
            let message = format!("{noun} must be an object, this is {}", value.noun());
            problems.add(value.at, message);
            return None;
        };
        Some(Self {
            at: value.at,
            noun,
            entries,
            problems,
            known: RefCell::new(Vec::with_capacity(32)),
        })
    }

    /// The value of a key; an explicit null counts as absent.
    pub fn value(&self, key: &'static str) -> Option<&'t Value> {
        self.known.borrow_mut().push(key);
        let entry = self.entries.iter().find(|entry| entry.key.value == key)?;
        (entry.value.value != Kind::Null).then_some(&entry.value)
    }

    /// Notes that a value is not of the kind that its key wants.
    fn expected<T>(&self, key: &str, wanted: &str, found: &Value) -> Option<T> {
        let message = format!("`{key}` must be {wanted}, this is {}", found.noun());
        self.problems.add(found.at, message);
        None
    }

    /// A string.
    pub fn text(&self, key: &'static str) -> Option<Text> {
        let found = self.value(key)?;
        match &found.value {
            Kind::Text(text) => Some(Text {
                at: found.at,
                value: text.clone(),
            }),
            _ => match found.as_written() {
                Some(text) => {
                    let message = format!("`{key}` must be a string, this is {}", found.noun());
                    let help = format!("put it into quotes: \"{text}\"");
                    self.problems.add_with_help(found.at, message, help);
                    None
                }
                None => self.expected(key, "a string", found),
            },
        }
    }

    /// A string that must be there and not be blank.
    pub fn required_text(&self, key: &'static str) -> Text {
        let missing = Text {
            at: self.at,
            value: String::new(),
        };
        let Some(found) = self.value(key) else {
            let message = format!("{} needs `{key}`", self.noun);
            self.problems.add(self.at, message);
            return missing;
        };
        match &found.value {
            Kind::Text(text) if text.trim().is_empty() => {
                let message = format!("`{key}` must not be empty");
                self.problems.add(found.at, message);
                missing
            }
            _ => self.text(key).unwrap_or(missing),
        }
    }

    /// `true` or `false`.
    pub fn flag(&self, key: &'static str) -> Option<bool> {
        let found = self.value(key)?;
        match found.value {
            Kind::Bool(flag, _) => Some(flag),
            _ => self.expected(key, "true or false", found),
        }
    }

    /// A whole number of at least `least`.
    pub fn int(&self, key: &'static str, least: i64) -> Option<i64> {
        let found = self.value(key)?;
        match found.value {
            Kind::Int(number, _) if number >= least => Some(number),
            Kind::Int(number, _) => {
                let message = format!("`{key}` must be at least {least}, this is {number}");
                self.problems.add(found.at, message);
                None
            }
            _ => self.expected(key, "an integer", found),
        }
    }

    /// The same, within 32 bits.
    pub fn int32(&self, key: &'static str, least: i64) -> Option<i32> {
        let number = self.int(key, least)?;
        let narrow = i32::try_from(number).ok();
        if narrow.is_none()
            && let Some(found) = self.value(key)
        {
            let message = format!("`{key}` must be at most {}, this is {number}", i32::MAX);
            self.problems.add(found.at, message);
        }
        narrow
    }

    /// A number.
    pub fn float(&self, key: &'static str) -> Option<f64> {
        let found = self.value(key)?;
        match found.value {
            #[expect(
                clippy::cast_precision_loss,
                reason = "times of files fit into 53 bits"
            )]
            Kind::Int(number, _) => Some(number as f64),
            Kind::Float(number, _) => Some(number),
            _ => self.expected(key, "a number", found),
        }
    }

    /// One of several words.
    pub fn choice<T: Copy>(&self, key: &'static str, choices: &[(&'static str, T)]) -> Option<T> {
        let found = self.text(key)?;
        let chosen = choices.iter().find(|(word, _)| *word == found.value);
        if chosen.is_none() {
            let words: Vec<String> = choices
                .iter()
                .map(|(word, _)| format!("`{word}`"))
                .collect();
            let message = format!("`{key}` must be one of {}", words.join(", "));
            let help = did_you_mean(&found.value, choices.iter().map(|(word, _)| *word));
            self.problems.push(found.at, message, help);
        }
        chosen.map(|(_, value)| *value)
    }

    /// A list; anything else is noted, and empty.
    pub fn list(&self, key: &'static str) -> &'t [Value] {
        match self.value(key) {
            None => &[],
            Some(found) => match &found.value {
                Kind::List(items) => items,
                Kind::Text(text) => {
                    let message = format!("`{key}` must be a list, this is a string");
                    self.problems
                        .add_with_help(found.at, message, format!("write [{text}]"));
                    &[]
                }
                _ => {
                    self.expected::<()>(key, "a list", found);
                    &[]
                }
            },
        }
    }

    /// A list of strings.
    pub fn texts(&self, key: &'static str) -> Vec<Text> {
        self.optional_texts(key).unwrap_or_default()
    }

    /// A list of strings that may be absent.
    pub fn optional_texts(&self, key: &'static str) -> Option<Vec<Text>> {
        self.value(key)?;
        let texts = self.list(key).iter().filter_map(|item| match &item.value {
            Kind::Text(text) => Some(Text {
                at: item.at,
                value: text.clone(),
            }),
            _ => {
                let message = format!("`{key}` lists strings, this is {}", item.noun());
                self.problems.add(item.at, message);
                None
            }
        });
        Some(texts.collect())
    }

    /// An object's entries; anything else is noted, and absent.
    pub fn entries(&self, key: &'static str) -> Option<&'t [Entry]> {
        let found = self.value(key)?;
        match &found.value {
            Kind::Map(entries) => Some(entries),
            _ => self.expected(key, "an object", found),
        }
    }

    /// An object of strings, each with its place; numbers and booleans count as they are
    /// written.
    pub fn text_map(&self, key: &'static str) -> Option<BTreeMap<String, Text>> {
        let entries = self.entries(key)?;
        let texts = entries.iter().filter_map(|entry| {
            let found = &entry.value;
            let Some(text) = found.as_written() else {
                let message = format!(
                    "`{key}.{}` must be a string, this is {}",
                    entry.key.value,
                    found.noun()
                );
                self.problems.add(found.at, message);
                return None;
            };
            let text = Text {
                at: entry.key.at,
                value: text.to_owned(),
            };
            Some((entry.key.value.clone(), text))
        });
        Some(texts.collect())
    }

    /// Warns about a key that is taken and changes nothing, unless it says `false`, which
    /// then is the truth.
    pub fn without_effect(&self, key: &'static str, why: &str) {
        if let Some(found) = self.value(key)
            && !matches!(found.value, Kind::Bool(false, _))
        {
            let message = format!("`{key}` has no effect in this version");
            self.problems.warn(found.at, message, Some(why.to_owned()));
        }
    }

    /// Refuses a key of the format that needs what this version lacks.
    pub fn unsupported(&self, key: &'static str, why: &str) {
        self.known.borrow_mut().push(key);
        if let Some(entry) = self.entries.iter().find(|entry| entry.key.value == key) {
            let message = format!("`{key}` is not supported by this version");
            self.problems.add_with_help(entry.key.at, message, why);
        }
    }

    /// Notes the keys that nobody asked for.
    pub fn finish(self) {
        let known = self.known.into_inner();
        for entry in self.entries {
            let key = entry.key.value.as_str();
            if known.contains(&key) {
                continue;
            }
            let message = format!("unknown key `{key}` in {}", self.noun);
            let help = match key {
                "<<" => Some("YAML merge keys are not read; write the keys out".to_owned()),
                "slurm_config" => Some("`slurm_config` was removed from the format".to_owned()),
                _ => did_you_mean(key, known.iter().copied()),
            };
            self.problems.push(entry.key.at, message, help);
        }
    }
}

//! What the doctor finds: a name, a sentence, the figures that it rests on, what to do.

use serde::{Serialize, Serializer};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It will hurt, or hurts a little.
    Warning,
    /// It is what makes the server slow.
    Problem,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// Its stable name, such as `slow-fsync`.
    pub name: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// The part of the requests' time that it explains, from 0 to 1.
    pub share: f64,
    /// What is wrong, in a sentence.
    pub verdict: String,
    /// The figures that this rests on.
    pub evidence: Vec<Evidence>,
    /// What to do about it.
    pub advice: Vec<String>,
}

/// One figure.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evidence {
    /// What it is.
    pub figure: String,
    /// How much.
    #[serde(flatten)]
    pub value: Value,
    /// From where on it is too much.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<Value>,
}

/// A number with its unit; in JSON `{"value": 38100.0, "unit": "us"}`.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A time in microseconds.
    Micros(f64),
    /// A part of a whole, from 0 to 1.
    Share(f64),
    /// How many.
    Count(u64),
    /// How many in a second.
    PerSecond(f64),
    /// How much memory.
    Bytes(u64),
    /// A word.
    Text(String),
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut both = serializer.serialize_struct("Value", 2)?;
        let unit = match self {
            Self::Micros(number) => {
                both.serialize_field("value", number)?;
                "us"
            }
            Self::Share(number) => {
                both.serialize_field("value", number)?;
                "share"
            }
            Self::Count(number) => {
                both.serialize_field("value", number)?;
                "count"
            }
            Self::PerSecond(number) => {
                both.serialize_field("value", number)?;
                "per_s"
            }
            Self::Bytes(number) => {
                both.serialize_field("value", number)?;
                "bytes"
            }
            Self::Text(text) => {
                both.serialize_field("value", text)?;
                "text"
            }
        };
        both.serialize_field("unit", unit)?;
        both.end()
    }
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Micros(us) => f.pad(&time(*us)),
            Self::Share(share) => f.pad(&percent(*share)),
            Self::Count(count) => f.pad(&grouped(*count)),
            Self::PerSecond(rate) => f.pad(&format!("{rate:.0}/s")),
            Self::Bytes(bytes) => f.pad(&size(*bytes)),
            Self::Text(text) => f.pad(text),
        }
    }
}

/// How the server is, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Nothing is wrong.
    Healthy,
    /// There is too little to judge by.
    Idle,
    /// It records nothing, so there is nothing to judge by.
    Blind,
    /// Something is wrong.
    Sick,
}

/// All that the doctor says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Diagnosis {
    /// How the server is.
    pub state: State,
    /// The first finding's sentence, or that nothing is wrong.
    pub verdict: String,
    /// Seconds that were looked at.
    pub window_s: f64,
    /// Requests that ended in that time, those of the debug pages left out.
    pub requests: u64,
    /// What is wrong, the cause of most of the time first.
    pub findings: Vec<Finding>,
    /// Where the time of requests went.
    pub evidence: Vec<Evidence>,
    /// Pages that this server did not answer; what they would tell is not known.
    pub unknown: Vec<&'static str>,
}

/// One figure that is too much from `limit` on.
pub fn over(figure: impl Into<String>, value: Value, limit: Value) -> Evidence {
    Evidence {
        figure: figure.into(),
        value,
        limit: Some(limit),
    }
}

/// One figure.
pub fn fact(figure: impl Into<String>, value: Value) -> Evidence {
    Evidence {
        figure: figure.into(),
        value,
        limit: None,
    }
}

/// A time with a unit that suits it.
pub fn time(us: f64) -> String {
    match us {
        us if us < 999.5 => format!("{us:.0} us"),
        us if us < 9_995.0 => format!("{:.2} ms", us / 1e3),
        us if us < 99_950.0 => format!("{:.1} ms", us / 1e3),
        us if us < 999_500.0 => format!("{:.0} ms", us / 1e3),
        us if us < 99_950_000.0 => format!("{:.1} s", us / 1e6),
        us => format!("{:.0} s", us / 1e6),
    }
}

/// A share in percent.
pub fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// A count with its thousands apart.
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bytes in MiB or GiB.
pub fn size(bytes: u64) -> String {
    let mib = bytes as f64 / f64::from(1 << 20);
    if mib < 1024.0 {
        format!("{mib:.1} MiB")
    } else {
        format!("{:.1} GiB", mib / 1024.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        let texts = [7.0, 1_500.0, 38_140.0, 412_000.0, 5_000_000.0].map(time);
        assert_eq!(texts, ["7 us", "1.50 ms", "38.1 ms", "412 ms", "5.0 s"]);
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(grouped(12), "12");
        assert_eq!(size(16 << 20), "16.0 MiB");
        assert_eq!(size(3 << 30), "3.0 GiB");
    }

    #[test]
    fn a_figure_in_json_has_its_unit() {
        let json = serde_json::to_value(over("a", Value::Micros(2.0), Value::Share(0.5))).unwrap();
        let expected = serde_json::json!({
            "figure": "a", "value": 2.0, "unit": "us", "limit": {"value": 0.5, "unit": "share"},
        });
        assert_eq!(json, expected);
    }
}

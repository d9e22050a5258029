//! What counts as slow: `--slow 250ms,complete_job=50ms,GET /jobs=2s`.

use std::str::FromStr;
use std::time::Duration;

use super::telemetry::ByteSize;

/// What is slow when nothing says otherwise.
const DEFAULT: Duration = Duration::from_secs(1);

/// One part of `--slow`: a time for everything, or for one operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlowRule {
    /// A route (`GET /jobs/{id}`) or a command (`complete_job`); none for all others.
    pub operation: Option<String>,
    /// From how long on it is slow; none for never.
    pub from: Option<Duration>,
}

impl FromStr for SlowRule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (operation, time) = match text.rsplit_once('=') {
            Some((name, time)) if !name.trim().is_empty() => {
                (Some(name.trim().to_owned()), time.trim())
            }
            Some(_) => {
                return Err(format!("`{text}` names no operation: write NAME=250ms"));
            }
            None => (None, text.trim()),
        };
        let from = match time {
            "off" => None,
            time => Some(duration(time)?),
        };
        Ok(Self { operation, from })
    }
}

/// A time with a unit, such as `250ms` or `1.5s`.
///
/// # Errors
///
/// One sentence about what would be right.
pub fn duration(text: &str) -> Result<Duration, String> {
    let complaint = || format!("`{text}` is not a time: write 250ms, 2s or 1m");
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let seconds = match unit.trim() {
        "us" | "µs" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" | "min" => 60.0,
        _ => return Err(complaint()),
    };
    let number: f64 = number.parse().map_err(|_| complaint())?;
    Duration::try_from_secs_f64(number * seconds).map_err(|_| complaint())
}

/// All thresholds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlowRules {
    /// For what has no threshold of its own; none for never.
    pub all: Option<Duration>,
    /// By route or command. A handful, so a scan beats a map.
    pub named: Vec<(String, Option<Duration>)>,
}

impl Default for SlowRules {
    fn default() -> Self {
        Self {
            all: Some(DEFAULT),
            named: Vec::new(),
        }
    }
}

impl SlowRules {
    /// Joins the parts; of two that say the same thing the later one counts.
    pub fn new(rules: Vec<SlowRule>) -> Self {
        let mut joined = Self::default();
        for SlowRule { operation, from } in rules {
            let Some(name) = operation else {
                joined.all = from;
                continue;
            };
            joined.named.retain(|(known, _)| *known != name);
            joined.named.push((name, from));
        }
        joined
    }

    /// The threshold of an operation that was named, if it was.
    pub fn named(&self, operation: &str) -> Option<Option<Duration>> {
        let found = self.named.iter().find(|(name, _)| name == operation);
        found.map(|(_, from)| *from)
    }
}

/// How much the flight recorder may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlightSize(pub u64);

impl FromStr for FlightSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.trim() == "off" {
            return Ok(Self(0));
        }
        match text.parse::<ByteSize>() {
            Ok(ByteSize(bytes)) => Ok(Self(bytes)),
            Err(_) => Err(format!(
                "`{text}` is not a size: write bytes, or 64M, or off"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: &str) -> Result<SlowRule, String> {
        text.parse()
    }

    #[test]
    fn a_rule_is_a_time_or_a_name_with_one() {
        let millis = |n| Some(Duration::from_millis(n));
        for (text, operation, from) in [
            ("250ms", None, millis(250)),
            ("1.5s", None, millis(1_500)),
            ("off", None, None),
            ("complete_job=50ms", Some("complete_job"), millis(50)),
            ("GET /jobs/{id} = 2s", Some("GET /jobs/{id}"), millis(2_000)),
            ("a=off", Some("a"), None),
        ] {
            let operation = operation.map(str::to_owned);
            assert_eq!(rule(text), Ok(SlowRule { operation, from }), "{text}");
        }
        for text in ["", "250", "ms", "-1s", "=1s", "a=", "a=1h2", "1..2s"] {
            assert!(rule(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_later_rule_counts() {
        let rules = ["2s", "a=1s", "off", "a=5ms"].map(|text| rule(text).unwrap());
        let rules = SlowRules::new(rules.to_vec());
        assert_eq!(rules.all, None);
        assert_eq!(rules.named("a"), Some(Some(Duration::from_millis(5))));
        assert_eq!(rules.named("b"), None);
    }

    #[test]
    fn the_flight_recorder_is_sized_or_off() {
        assert_eq!("off".parse(), Ok(FlightSize(0)));
        assert_eq!("8M".parse(), Ok(FlightSize(8 << 20)));
        assert!("on".parse::<FlightSize>().is_err());
    }
}

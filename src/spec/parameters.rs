//! Values of parameters: ranges, lists, lines of a file, single values.

use std::fmt;

/// Values that one parameter may have, and copies that one declaration may make.
pub const MOST_VALUES: usize = 5_000_000;

/// How far beyond its end a range of floats may reach: steps such as 0.1 are not exact.
const TOLERANCE: f64 = 1e-10;

/// One value of a parameter.
#[derive(Debug, Clone, PartialEq)]
pub enum ParameterValue {
    /// An integer, which `{name:03d}` formats.
    Int(i64),
    /// Another number, which `{name:.2f}` formats.
    Float(f64),
    /// Anything else.
    Text(String),
}

impl fmt::Display for ParameterValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(value) => value.fmt(f),
            Self::Float(value) => value.fmt(f),
            Self::Text(value) => value.fmt(f),
        }
    }
}

impl ParameterValue {
    /// The value that a text stands for: an integer, else a float, else itself.
    pub fn infer(text: &str) -> Self {
        if let Ok(value) = text.parse() {
            return Self::Int(value);
        }
        match text.parse::<f64>() {
            // Rust reads words such as `inf` and `nan` as numbers; here they are words.
            Ok(value) if value.is_finite() => Self::Float(value),
            _ => Self::Text(text.to_owned()),
        }
    }
}

/// The values that a text in the syntax of the format stands for.
///
/// `read` hands out the text of a file for `@path`.
///
/// # Errors
///
/// What is wrong, in a sentence.
pub fn parse_values(
    text: &str,
    read: &dyn Fn(&str) -> std::io::Result<String>,
) -> Result<Vec<ParameterValue>, String> {
    let text = text.trim();
    let text = match text.strip_prefix('{').and_then(|t| t.strip_suffix('}')) {
        Some(inner) => inner.trim(),
        None => text,
    };
    let values = if let Some(path) = text.strip_prefix('@') {
        lines_of(path.trim(), read)?
    } else if let Some(items) = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')) {
        list(items)
    } else if text.contains(':') {
        range(text)?
    } else {
        vec![ParameterValue::infer(unquoted(text))]
    };
    if values.is_empty() {
        return Err(format!("`{text}` has no values"));
    }
    if values.len() > MOST_VALUES {
        return Err(too_many());
    }
    Ok(values)
}

fn too_many() -> String {
    format!("a parameter has at most {MOST_VALUES} values")
}

fn lines_of(
    path: &str,
    read: &dyn Fn(&str) -> std::io::Result<String>,
) -> Result<Vec<ParameterValue>, String> {
    let text = read(path).map_err(|error| format!("cannot read `{path}`: {error}"))?;
    Ok(text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(ParameterValue::infer)
        .collect())
}

fn list(items: &str) -> Vec<ParameterValue> {
    items
        .split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
        .map(|item| ParameterValue::infer(unquoted(item)))
        .collect()
}

fn unquoted(text: &str) -> &str {
    ['\'', '"']
        .into_iter()
        .find_map(|quote| text.strip_prefix(quote)?.strip_suffix(quote))
        .unwrap_or(text)
}

fn range(text: &str) -> Result<Vec<ParameterValue>, String> {
    let parts: Vec<&str> = text.split(':').map(str::trim).collect();
    let (start, end, step) = match parts[..] {
        [start, end] => (start, end, "1"),
        [start, end, step] => (start, end, step),
        _ => return Err(format!("`{text}` has more than three parts; {RANGE_FORM}")),
    };
    let ints = (start.parse(), end.parse(), step.parse());
    let values = if let (Ok(start), Ok(end), Ok(step)) = ints {
        int_range(start, end, step)?
    } else {
        let number = |part: &str| match part.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(value),
            _ => Err(format!(
                "`{part}` in `{text}` is not a number; {RANGE_FORM}"
            )),
        };
        float_range(
            number(start)?,
            number(end)?,
            number(step)?,
            decimals(&[start, step]),
        )?
    };
    if values.is_empty() {
        return Err(format!(
            "the range `{text}` is empty: its step leads away from its end"
        ));
    }
    Ok(values)
}

const RANGE_FORM: &str =
    "a text with a colon is a range `start:end:step`, anything else goes into a list: `['a:b']`";

fn int_range(start: i64, end: i64, step: i64) -> Result<Vec<ParameterValue>, String> {
    if step == 0 {
        return Err("the step of a range must not be 0".to_owned());
    }
    // Wider than the numbers themselves, so that no sum overflows.
    let (first, last, stride) = (i128::from(start), i128::from(end), i128::from(step));
    if (last - first).signum() * stride.signum() < 0 {
        return Ok(Vec::new());
    }
    let count = (last - first) / stride;
    let count = usize::try_from(count).map_err(|_| too_many())?;
    if count >= MOST_VALUES {
        return Err(too_many());
    }
    let values = (0..=count).map_while(|index| {
        let value = first + stride * i128::try_from(index).ok()?;
        i64::try_from(value).ok().map(ParameterValue::Int)
    });
    Ok(values.collect())
}

fn float_range(
    start: f64,
    end: f64,
    step: f64,
    decimals: Option<usize>,
) -> Result<Vec<ParameterValue>, String> {
    if step == 0.0 {
        return Err("the step of a range must not be 0".to_owned());
    }
    let mut values = Vec::new();
    for index in 0_u32.. {
        // Multiplied, not summed up: sums drift.
        let value = start + f64::from(index) * step;
        let beyond = if step > 0.0 { value - end } else { end - value };
        if beyond > TOLERANCE {
            break;
        }
        if values.len() >= MOST_VALUES {
            return Err(too_many());
        }
        values.push(ParameterValue::Float(snapped(value, decimals)));
    }
    Ok(values)
}

/// How many decimals the numbers are written with; none for exponents.
fn decimals(parts: &[&str]) -> Option<usize> {
    let count = |part: &&str| match part.split_once('.') {
        _ if part.contains(['e', 'E']) => None,
        Some((_, fraction)) => Some(fraction.len()),
        None => Some(0),
    };
    parts
        .iter()
        .map(count)
        .try_fold(0, |most, count| Some(most.max(count?)))
}

/// The number nearest to what a person would write: 0.3 for 0.1 + 0.1 + 0.1.
fn snapped(value: f64, decimals: Option<usize>) -> f64 {
    decimals
        .and_then(|decimals| format!("{value:.decimals$}").parse().ok())
        .filter(|snapped: &f64| (snapped - value).abs() <= TOLERANCE)
        .unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{ParameterValue, parse_values};

    fn read(path: &str) -> std::io::Result<String> {
        match path {
            "values.txt" => Ok("# comment\n1\n\n 2.5 \nred\n".to_owned()),
            _ => Err(std::io::ErrorKind::NotFound.into()),
        }
    }

    fn values(text: &str) -> Vec<String> {
        let values = parse_values(text, &read).unwrap();
        values.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_form_of_the_format() {
        assert_eq!(values("1:4"), ["1", "2", "3", "4"]);
        assert_eq!(values("{1:3}"), ["1", "2", "3"]);
        assert_eq!(values("0:10:5"), ["0", "5", "10"]);
        assert_eq!(values("3:1:-1"), ["3", "2", "1"]);
        assert_eq!(
            values("0.0:0.5:0.1"),
            ["0", "0.1", "0.2", "0.3", "0.4", "0.5"]
        );
        assert_eq!(values("0.5:2"), ["0.5", "1.5"]);
        assert_eq!(values("[1, 2.5,'a', \"b\"]"), ["1", "2.5", "a", "b"]);
        assert_eq!(values("red"), ["red"]);
        assert_eq!(values("7"), ["7"]);
        assert_eq!(values("@values.txt"), ["1", "2.5", "red"]);
        assert_eq!(values("[inf, nan]"), ["inf", "nan"]);
    }

    #[test]
    fn mistakes_say_what_to_do() {
        let error = |text| parse_values(text, &read).unwrap_err();
        insta::assert_snapshot!(
            ["1:2:3:4", "a:b", "1:2:0", "1.0:2.0:0", "5:1", "[]", "@none", "0:9999999999", "0.0:1e9:0.001"]
                .map(error)
                .join("\n"),
            @r"
        `1:2:3:4` has more than three parts; a text with a colon is a range `start:end:step`, anything else goes into a list: `['a:b']`
        `a` in `a:b` is not a number; a text with a colon is a range `start:end:step`, anything else goes into a list: `['a:b']`
        the step of a range must not be 0
        the step of a range must not be 0
        the range `5:1` is empty: its step leads away from its end
        `[]` has no values
        cannot read `none`: entity not found
        a parameter has at most 5000000 values
        a parameter has at most 5000000 values
        "
        );
    }

    proptest! {
        #[test]
        fn an_integer_range_steps_evenly_to_its_end(start in -1000_i64..1000, count in 0_i64..500, step in 1_i64..20, slack in 0_i64..20) {
            let end = start + count * step + slack.min(step - 1);
            let expected: Vec<_> = (0..=count).map(|i| ParameterValue::Int(start + i * step)).collect();
            prop_assert_eq!(parse_values(&format!("{start}:{end}:{step}"), &read).unwrap(), expected.clone());
            let mirrored: Vec<_> = (0..=count).map(|i| ParameterValue::Int(-start - i * step)).collect();
            prop_assert_eq!(parse_values(&format!("{}:{}:-{step}", -start, -end), &read).unwrap(), mirrored);
        }

        #[test]
        fn a_float_range_reaches_its_end(start in -50_i32..50, count in 0_i32..300, decimals in 1_usize..4) {
            let scale = 10_f64.powi(i32::try_from(decimals).unwrap());
            let (from, step) = (f64::from(start) / scale, 1.0 / scale);
            let end = f64::from(start + count) / scale;
            let text = format!("{from:.decimals$}:{end:.decimals$}:{step}");
            let values = parse_values(&text, &read).unwrap();
            let expected: Vec<_> = (start..=start + count).map(|n| ParameterValue::Float(f64::from(n) / scale)).collect();
            prop_assert_eq!(values, expected);
        }

        #[test]
        fn no_text_panics(text in ".{0,30}") {
            let _ = parse_values(&text, &read);
        }
    }
}

//! Puts values of parameters into texts: `{name}` and `{name:format}`.

use std::fmt::Write;

use super::combine::Combination;
use super::parameters::ParameterValue;

/// The text with the values of the combination; other braces stay as they are.
pub fn fill(template: &str, combination: &Combination<'_>) -> String {
    let mut filled = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(open) = rest.find('{') {
        filled.push_str(&rest[..open]);
        let inner = &rest[open + 1..];
        let placeholder = inner.find(['{', '}']).and_then(|end| {
            let found = &inner[..end];
            let closed = inner[end..].starts_with('}');
            closed.then_some(found)
        });
        let value = placeholder.and_then(|text| {
            let (name, format) = text.split_once(':').unwrap_or((text, ""));
            let (_, value) = combination.iter().find(|(known, _)| *known == name)?;
            Some((*value, format))
        });
        match (placeholder, value) {
            (Some(text), Some((value, format))) => {
                push(&mut filled, value, format);
                rest = &inner[text.len() + 1..];
            }
            _ => {
                filled.push('{');
                rest = inner;
            }
        }
    }
    filled.push_str(rest);
    filled
}

/// Writes the value; a format that does not fit its kind changes nothing.
fn push(text: &mut String, value: &ParameterValue, format: &str) {
    // Writing into a string cannot fail.
    let _ = match (value, width(format), precision(format)) {
        (ParameterValue::Int(number), Some(width), _) => write!(text, "{number:0width$}"),
        (ParameterValue::Float(number), _, Some(precision)) => {
            write!(text, "{number:.precision$}")
        }
        _ => write!(text, "{value}"),
    };
}

/// More digits than this are a slip, not a wish.
const WIDEST: usize = 100;

/// The width of `0Nd`.
fn width(format: &str) -> Option<usize> {
    let digits = format.strip_prefix('0')?.strip_suffix('d')?;
    digits.parse().ok().filter(|width| *width <= WIDEST)
}

/// The precision of `.Nf`.
fn precision(format: &str) -> Option<usize> {
    let digits = format.strip_prefix('.')?.strip_suffix('f')?;
    digits.parse().ok().filter(|precision| *precision <= WIDEST)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::fill;
    use crate::spec::parameters::ParameterValue as P;

    fn filled(template: &str) -> String {
        let (i, x, color) = (P::Int(7), P::Float(0.5), P::Text("red".to_owned()));
        fill(template, &vec![("i", &i), ("x", &x), ("color", &color)])
    }

    #[test]
    fn formats_and_what_stays() {
        for (template, expected) in [
            ("job_{i}", "job_7"),
            ("{i:03d}/{x:.2f}/{color}", "007/0.50/red"),
            ("{x}", "0.5"),
            ("{i:.2f} {x:03d} {color:05d}", "7 0.5 red"),
            ("{i:5d} {i:}", "7 7"),
            ("{other} {} { i } {i", "{other} {} { i } {i"),
            ("${HOME} ${i} {{i}}", "${HOME} $7 {7}"),
            ("awk '{print $1}' {i}", "awk '{print $1}' 7"),
            ("ä{i}ö", "ä7ö"),
        ] {
            assert_eq!(filled(template), expected, "{template}");
        }
    }

    proptest! {
        #[test]
        fn padding_pads_to_the_width(number in 0_i64..1_000_000, width in 1_usize..12) {
            let value = P::Int(number);
            let text = fill(&format!("{{n:0{width}d}}"), &vec![("n", &value)]);
            prop_assert_eq!(text.len(), width.max(number.to_string().len()));
            prop_assert_eq!(text.parse::<i64>().unwrap(), number);
        }

        #[test]
        fn precision_counts_decimals(number in -1e6_f64..1e6, decimals in 1_usize..9) {
            let value = P::Float(number);
            let text = fill(&format!("{{n:.{decimals}f}}"), &vec![("n", &value)]);
            prop_assert_eq!(text.split_once('.').unwrap().1.len(), decimals);
        }

        #[test]
        fn text_without_our_names_is_untouched(text in "[^ix]{0,40}") {
            prop_assume!(!text.contains("color"));
            prop_assert_eq!(filled(&text), text);
        }
    }
}

//! Memory sizes and durations: are they written as the server reads them?

/// The bytes of a size such as `512m`: an integer with an optional `k`, `m`, `g` or `t`.
///
/// # Errors
///
/// What is wrong, with an example of what is right.
pub fn parse_memory(text: &str) -> Result<u64, String> {
    let wrong = || {
        format!(
            "`{text}` is not a memory size; write an integer with k, m, g or t, such as `512m` or `2g`"
        )
    };
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        _ => return Err(wrong()),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    number
        .checked_mul(1 << shift)
        .filter(|bytes| i64::try_from(*bytes).is_ok())
        .ok_or_else(|| format!("the memory size `{text}` is beyond what can be counted"))
}

/// The seconds of an ISO 8601 duration such as `PT30M`, fractions cut off.
///
/// A year counts 365.25 days and a month a twelfth of that, as on the server.
///
/// # Errors
///
/// What is wrong, with an example of what is right.
pub fn parse_duration(text: &str) -> Result<u64, String> {
    let wrong = || {
        format!(
            "`{text}` is not an ISO 8601 duration; write for example `PT30M`, `PT2H` or `P1DT12H`"
        )
    };
    let rest = text.strip_prefix('P').ok_or_else(wrong)?;
    let (date, time) = match rest.split_once('T') {
        Some((_, "")) => return Err(wrong()),
        Some((date, time)) => (date, time),
        None => (rest, ""),
    };
    if date.is_empty() && time.is_empty() {
        return Err(wrong());
    }
    let days = [
        ('Y', 31_557_600.0),
        ('M', 2_629_800.0),
        ('W', 604_800.0),
        ('D', 86_400.0),
    ];
    let hours = [('H', 3600.0), ('M', 60.0), ('S', 1.0)];
    let seconds = sum(date, &days).zip(sum(time, &hours)).map(|(d, t)| d + t);
    let seconds = seconds
        .filter(|seconds| *seconds < 1e15)
        .ok_or_else(wrong)?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "cutting off is meant, and the sum is in range"
    )]
    Ok(seconds as u64)
}

/// Adds up `<number><unit>` parts, whose units come in the order given, each once.
fn sum(mut text: &str, units: &[(char, f64)]) -> Option<f64> {
    let mut total = 0.0;
    let mut units = units.iter();
    while !text.is_empty() {
        let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
        let number: f64 = text[..end].parse().ok()?;
        let unit = text[end..].chars().next()?;
        let (_, seconds) = units.by_ref().find(|(name, _)| *name == unit)?;
        total += number * seconds;
        text = &text[end + unit.len_utf8()..];
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{parse_duration, parse_memory};

    #[test]
    fn sizes_as_the_server_reads_them() {
        assert_eq!(parse_memory("1"), Ok(1));
        assert_eq!(parse_memory("4K"), Ok(4096));
        assert_eq!(parse_memory("2g"), Ok(2 << 30));
        assert_eq!(parse_memory("1t"), Ok(1 << 40));
        for wrong in [
            "",
            "g",
            "1.5g",
            "2gb",
            "-1m",
            "2 g",
            "+1",
            "ä",
            "99999999999t",
        ] {
            assert!(parse_memory(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn durations_as_the_server_reads_them() {
        assert_eq!(parse_duration("PT30M"), Ok(1800));
        assert_eq!(parse_duration("P0DT1H"), Ok(3600));
        assert_eq!(parse_duration("P1W"), Ok(604_800));
        assert_eq!(parse_duration("P1Y1M"), Ok(31_557_600 + 2_629_800));
        assert_eq!(parse_duration("PT1.5S"), Ok(1));
        for wrong in [
            "", "P", "PT", "30M", "1:00:00", "PT1", "PTM", "P1S", "PT1S1M", "P1DT", "PT-1H",
            "PT1..5S",
        ] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[P0-9TDHMSkmgt.ä]{0,12}") {
            let _ = (parse_memory(&text), parse_duration(&text));
        }

        #[test]
        fn parts_add_up(d in 0_u64..999, h in 0_u64..99, m in 0_u64..99, s in 0_u64..99) {
            let expected = d * 86_400 + h * 3600 + m * 60 + s;
            prop_assert_eq!(parse_duration(&format!("P{d}DT{h}H{m}M{s}S")), Ok(expected));
        }
    }
}

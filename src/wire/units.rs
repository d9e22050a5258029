//! Memory and durations as the contract writes them.

/// Bytes of a memory text: an integer with an optional suffix `k`, `m`, `g` or
/// `t` of either case, powers of 1024.
///
/// # Errors
///
/// What is wrong with the text, for the end of a message.
pub fn parse_memory(text: &str) -> Result<i64, String> {
    let text = text.trim();
    let (number, factor) = match text.chars().last() {
        None => return Err("Memory is empty".to_owned()),
        Some(last) if last.is_ascii_digit() => (text, 1),
        Some(last) => {
            let power = match last.to_ascii_lowercase() {
                'k' => 1,
                'm' => 2,
                'g' => 3,
                't' => 4,
                other => return Err(format!("Invalid memory unit: {other}")),
            };
            (&text[..text.len() - last.len_utf8()], 1_i64 << (10 * power))
        }
    };
    let number: i64 = number
        .parse()
        .map_err(|_| format!("Invalid memory number: {number}"))?;
    if number < 0 {
        return Err("Memory must not be negative".to_owned());
    }
    number
        .checked_mul(factor)
        .ok_or_else(|| "Memory is too large".to_owned())
}

/// Whole seconds of an ISO 8601 duration; fractions are dropped. A year counts
/// 365.25 days, a month 2,629,800 seconds.
///
/// # Errors
///
/// What is wrong with the text, for the end of a message.
pub fn parse_duration(text: &str) -> Result<i64, String> {
    seconds(text)
        .filter(|seconds| seconds.is_finite() && *seconds < 9e15)
        .map(|seconds| seconds as i64)
        .ok_or_else(|| {
            format!("Invalid ISO 8601 duration format: Failed to parse duration: {text}")
        })
}

fn seconds(text: &str) -> Option<f64> {
    let mut rest = text.strip_prefix('P')?;
    let mut in_time = false;
    let mut total = 0.0;
    let mut parts = 0;
    // Units come largest first, each at most once.
    let mut allowed = "YMWDhms";
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('T') {
            if in_time || after.is_empty() {
                return None;
            }
            in_time = true;
            allowed = "hms";
            rest = after;
            continue;
        }
        let digits = rest
            .find(|c: char| !(c.is_ascii_digit() || c == '.'))
            .filter(|digits| *digits > 0)?;
        let number: f64 = rest[..digits].parse().ok()?;
        let letter = rest[digits..].chars().next()?;
        let (unit, factor) = match (in_time, letter) {
            (false, 'Y') => ('Y', 31_557_600.0),
            (false, 'M') => ('M', 2_629_800.0),
            (false, 'W') => ('W', 604_800.0),
            (false, 'D') => ('D', 86_400.0),
            (true, 'H') => ('h', 3_600.0),
            (true, 'M') => ('m', 60.0),
            (true, 'S') => ('s', 1.0),
            _ => return None,
        };
        let at = allowed.find(unit)?;
        allowed = &allowed[at + 1..];
        total += number * factor;
        parts += 1;
        rest = &rest[digits + 1..];
    }
    (parts > 0).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory() {
        for (text, bytes) in [
            ("0", 0),
            ("7", 7),
            ("2k", 2048),
            ("1M", 1 << 20),
            ("3g", 3 << 30),
        ] {
            assert_eq!(parse_memory(text), Ok(bytes));
        }
        assert_eq!(
            parse_memory("2 gb"),
            Err("Invalid memory unit: b".to_owned())
        );
        for bad in ["", "g", "1.5g", "-1g", "9999999999999t", "é"] {
            assert!(parse_memory(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn durations() {
        for (text, seconds) in [
            ("PT30M", 1800),
            ("P0DT1M", 60),
            ("P1W", 604_800),
            ("P1DT2H3M4S", 93_784),
            ("PT0.9S", 0),
            ("P1M", 2_629_800),
            ("P1Y", 31_557_600),
        ] {
            assert_eq!(parse_duration(text), Ok(seconds), "{text}");
        }
        for bad in [
            "", "P", "PT", "soon", "1 hour", "PT1", "P1H", "PT1M1H", "P1D1D", "PT-1S",
        ] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }
}

//! The only place that reads the wall clock, in the shapes the contract prints.

use chrono::{DateTime, SecondsFormat, Utc};

/// Now, in UTC.
#[expect(clippy::disallowed_methods, reason = "the one place that may")]
pub fn now() -> DateTime<Utc> {
    Utc::now()
}

/// Milliseconds since the epoch, as events carry them.
pub fn now_ms() -> i64 {
    now().timestamp_millis()
}

/// `YYYY-MM-DDTHH:MM:SS.mmmZ`, as workflow timestamps and completion times are written.
pub fn now_millis_text() -> String {
    now().to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// RFC 3339 with nanoseconds and a numeric offset, as job start times are written.
pub fn now_nanos_text() -> String {
    now().to_rfc3339_opts(SecondsFormat::Nanos, false)
}

/// Milliseconds since the epoch as `YYYY-MM-DDTHH:MM:SS.mmmZ`; none for a time that no
/// calendar has.
pub fn text_of_ms(ms: i64) -> Option<String> {
    let time = DateTime::from_timestamp_millis(ms)?;
    Some(time.to_rfc3339_opts(SecondsFormat::Millis, true))
}

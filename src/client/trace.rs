//! The trace that requests belong to, as they say it in `traceparent` (W3C Trace Context).

/// A sampled trace, and the caller's span in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trace {
    trace_id: u128,
    span_id: u64,
}

impl Trace {
    /// A new one.
    pub fn fresh() -> Self {
        Self {
            trace_id: fastrand::u128(1..),
            span_id: fastrand::u64(1..),
        }
    }

    /// A new one for this share (0 to 1) of all calls.
    pub fn sampled(share: f64) -> Option<Self> {
        (fastrand::f64() < share).then(Self::fresh)
    }

    /// As the header has it: version 00, sampled.
    pub fn header(&self) -> String {
        format!("00-{:032x}-{:016x}-01", self.trace_id, self.span_id)
    }
}

#[cfg(test)]
mod tests {
    use super::Trace;

    #[test]
    fn the_header_has_its_digits() {
        let small = Trace {
            trace_id: 10,
            span_id: 11,
        };
        let expected = "00-0000000000000000000000000000000a-000000000000000b-01";
        assert_eq!(small.header(), expected);
        assert!(Trace::sampled(0.0).is_none());
        assert!(Trace::sampled(1.0).is_some());
    }
}

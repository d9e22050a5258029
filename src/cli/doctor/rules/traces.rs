//! What becomes of the traces that the server exports: requests do not wait for a collector,
//! so nobody else would say that it takes nothing.

use super::super::figures::{Figures, Pages};
use super::super::finding::{Finding, Severity, Value, fact, over, time};
use super::{advice, requests};

/// A collector answers in milliseconds; the server itself gives up after ten seconds.
const LONG_US: f64 = 2e6;

/// The collector takes nothing, or not as much as comes.
pub fn traces_dropped(pages: &Pages, figures: &Figures) -> Option<Finding> {
    let traces = pages.timings.otlp.as_ref()?;
    let sending = traces.sending_for_us.unwrap_or_default();
    let hangs = sending >= LONG_US;
    let lost_lately = traces.lost_ago_us.is_some_and(|ago| ago <= figures.window);
    if !(hangs || traces.failing || lost_lately) {
        return None;
    }
    let lost = traces.dropped + traces.failed;
    let url = &traces.url;
    let why = if hangs {
        let sending = time(sending);
        format!("traces do not reach {url}: it has not answered an export for {sending}")
    } else if traces.failing {
        format!("traces do not reach {url}: it did not take the last export")
    } else {
        format!("{url} does not take traces as fast as they come")
    };
    let lost_text = match lost {
        0 => "requests do not wait for it, and soon their traces are dropped".to_owned(),
        _ => format!(
            "the traces of {} are lost, and none of them waited",
            requests(lost)
        ),
    };
    let mut evidence = vec![
        fact("the collector", Value::Text(url.clone())),
        fact("requests exported", Value::Count(traces.exported)),
        fact(
            "requests dropped, the queue was full",
            Value::Count(traces.dropped),
        ),
        fact(
            "requests given up after several tries",
            Value::Count(traces.failed),
        ),
    ];
    if let Some(sending) = traces.sending_for_us {
        let (sending, limit) = (Value::Micros(sending), Value::Micros(LONG_US));
        evidence.push(over("the export under way", sending, limit));
    }
    if let Some(ago) = traces.lost_ago_us {
        evidence.push(fact("the last one was lost, ago", Value::Micros(ago)));
    }
    let advice = if hangs || traces.failing {
        advice([
            "see whether the collector runs and listens there: `curl -v` on the address says so",
            "gRPC and HTTP have ports of their own, 4317 and 4318 as a rule; --otlp-protocol says \
             which is spoken",
            "without a collector leave out --otlp: the flight recorder keeps the last 30 s of \
             requests all the same (/debug/requests, /debug/trace/recent)",
        ])
    } else {
        advice([
            "export fewer: --otlp-sample 0.01 is one request in a hundred, and all slow ones",
            "give the queue more room: OTEL_BSP_MAX_QUEUE_SIZE, OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
            "look at the collector's own queue and its CPU",
        ])
    };
    Some(Finding {
        name: "traces-dropped",
        severity: Severity::Warning,
        share: 0.0,
        verdict: format!("{why}; {lost_text}"),
        evidence,
        advice,
    })
}

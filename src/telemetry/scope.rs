//! Spans that are timed, and entered only where a log shows what happens inside of them.
//!
//! The histogram of a span needs its beginning and its end. To enter it at each poll and on
//! the writer's thread, so that lines and spans within know where they are, costs as much
//! again; below level debug nobody would see it.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};

use tracing::Span;

/// Spans are entered, as anybody's subscriber may expect, until our own says otherwise.
static ENTERED: AtomicBool = AtomicBool::new(true);

/// No log shows spans: from now on they are only timed.
pub fn only_timed() {
    ENTERED.store(false, Ordering::Relaxed);
}

/// The span that whoever works on for this one is to enter; none where nobody would see it.
pub fn current() -> Span {
    if ENTERED.load(Ordering::Relaxed) {
        Span::current()
    } else {
        Span::none()
    }
}

/// A future whose span lasts as long as it does.
pub async fn within<F: Future>(span: Span, future: F) -> F::Output {
    let entered = ENTERED.load(Ordering::Relaxed);
    let mut future = pin!(future);
    poll_fn(|context| {
        let _inside = entered.then(|| span.enter());
        future.as_mut().poll(context)
    })
    .await
}

//! Resources of our own in tokio-console.
//!
//! The console learns of a resource, and of who waits on it, from three kinds of
//! spans and two kinds of events, which tokio emits for its own primitives. We
//! emit the same ones, so that the writer shows as *one* resource and each request
//! that waits for its reply as an operation on it.
//!
//! Operations are kept and used again (see [`Resource::wait`]): the console holds
//! each finished span for a while, so a span per request would cost memory in
//! proportion to the request rate, while the number of waiters at one time is small.
//!
//! With the console off the spans are disabled and a wait costs one comparison.

use std::future::Future;
use std::panic::Location;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tracing::{Span, trace, trace_span};

/// The target of the spans made here; the console's gate always lets it through.
pub const TARGET: &str = "runtime::torc_server";

/// The most operations one resource shows at a time; more waiters wait unseen.
const MAX_OPERATIONS: usize = 256;

/// Makes a primitive of tokio's that does not show by itself: where a [`Resource`] of
/// ours stands for it, or where the console would get it wrong. It counts the permits
/// that come back to a semaphore or channel and misses those taken by a `try_` call, so
/// that a queue for 4,096 commands soon shows 9,000 free places.
pub fn unseen<T>(make: impl FnOnce() -> T) -> T {
    tracing::dispatcher::with_default(&tracing::Dispatch::none(), make)
}

/// Something that tasks wait for, shown under its type's name in tokio-console.
///
/// Make it after the subscriber is installed: its span decides once whether the
/// console is there.
#[derive(Clone)]
pub struct Resource(Arc<Inner>);

struct Inner {
    span: Span,
    idle: Mutex<Vec<Operation>>,
    made: AtomicUsize,
}

/// The spans of one async operation, in use or waiting to be used again.
struct Operation {
    name: &'static str,
    span: Span,
}

impl Resource {
    /// Announces a resource, for example `Resource::new("Writer", "Sync")`.
    #[track_caller]
    pub fn new(concrete_type: &'static str, kind: &'static str) -> Self {
        let location = Location::caller();
        let span = trace_span!(
            target: TARGET,
            parent: None,
            "runtime.resource",
            concrete_type = concrete_type,
            kind = kind,
            loc.file = location.file(),
            loc.line = location.line(),
            loc.col = location.column(),
        );
        Self(Arc::new(Inner {
            span,
            idle: Mutex::new(Vec::new()),
            made: AtomicUsize::new(0),
        }))
    }

    /// Awaits `future` as an operation on this resource, named like `Writer::submit`.
    ///
    /// The operation's row shows the waiting task, `waiting=true` while it waits, and
    /// stays for the next waiter afterwards. What it returns is `Send` if `future` is,
    /// and does not borrow the resource.
    pub fn wait<F: Future>(
        &self,
        op: &'static str,
        future: F,
    ) -> impl Future<Output = F::Output> + use<F> {
        let inner = (!self.0.span.is_disabled()).then(|| Arc::clone(&self.0));
        async move {
            let Some(inner) = inner else {
                return future.await;
            };
            let mut waiting = Waiting {
                inner,
                op,
                started: false,
                operation: None,
            };
            let mut future = pin!(future);
            std::future::poll_fn(|cx| waiting.poll(future.as_mut(), cx)).await
        }
    }

    /// Shows who holds the resource, and how many wait behind. Both are asked for only
    /// while somebody can see them.
    pub fn held(&self, holder: impl FnOnce() -> String, waiting: impl FnOnce() -> u64) {
        if self.0.span.is_disabled() {
            return;
        }
        let (holder, waiting) = (holder(), waiting());
        // The console reads one field from an event.
        self.0.span.in_scope(|| {
            trace!(target: "runtime::resource::state_update", holder = %holder, holder.op = "override");
            trace!(target: "runtime::resource::state_update", queued = waiting, queued.op = "override");
        });
    }
}

impl Inner {
    /// An operation of that name that nobody uses, or a new one, or none if there are
    /// too many already.
    fn take(&self, op: &'static str) -> Option<Operation> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = idle.iter().rposition(|idle| idle.name == op) {
            return Some(idle.swap_remove(at));
        }
        drop(idle);
        if self.made.fetch_add(1, Ordering::Relaxed) >= MAX_OPERATIONS {
            self.made.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        // The console takes the resource that is entered for the operation's own.
        let _resource = self.span.enter();
        let span = trace_span!(
            target: TARGET,
            "runtime.resource.async_op",
            source = op,
            inherits_child_attrs = false,
        );
        Some(Operation { name: op, span })
    }
}

/// One wait; its end, also by cancellation, gives the operation back.
struct Waiting {
    inner: Arc<Inner>,
    op: &'static str,
    started: bool,
    operation: Option<Operation>,
}

impl Waiting {
    /// Polls with the caller's own spans around it, and shows the wait once it turns out
    /// to be one.
    fn poll<F: Future>(&mut self, future: Pin<&mut F>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let polled = future.poll(cx);
        if polled.is_pending() && !self.started {
            self.started = true;
            self.operation = self.inner.take(self.op);
            if let Some(operation) = &self.operation {
                operation.show(&self.inner.span, true);
            }
        }
        polled
    }
}

impl Operation {
    /// Says whether somebody waits, and who: the console takes the task that polls.
    fn show(&self, resource: &Span, waiting: bool) {
        let _resource = resource.enter();
        let _operation = self.span.enter();
        trace!(
            target: "runtime::resource::async_op::state_update",
            waiting = waiting,
            waiting.op = "override",
        );
        if waiting {
            trace!(
                target: "runtime::resource::poll_op",
                op_name = self.name,
                is_ready = false,
            );
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(operation) = self.operation.take() {
            operation.show(&self.inner.span, false);
            self.inner
                .idle
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(operation);
        }
    }
}

//! The gate in front of tokio-console: what may be seen, and how much of it.
//!
//! The console keeps everything it was told of for its retention, so what a request
//! causes (a channel, a timer, a spawned hand-back) must be limited:
//!
//! - Tasks that nobody named stay out: ours all have names, those of libraries don't.
//!   Tasks that block a thread (`block_on`) have no name and are let through.
//! - Resources made by libraries stay out, those that tokio's own are made of too, and
//!   operations and events on what stayed out.
//! - Everything else passes a [`Bucket`], and only so many may be open at once.
//!
//! It has two halves. The [`GateFilter`] decides before a span exists, by its kind and
//! by what is left in the buckets; that costs next to nothing, and under load it is what
//! happens to nearly every channel and timer. The [`Gate`] decides on a new span, when
//! its fields are known. Holding back `on_new_span` is enough there: the console finds
//! its own data in a span when something happens to it, and ignores spans without.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, Filter};
use tracing_subscriber::registry::LookupSpan;

use super::resource;

const TASK: &str = "runtime.spawn";
const RESOURCE: &str = "runtime.resource";
const OPERATION: &str = "runtime.resource.async_op";

/// One poll of an operation; the console has no use for this span.
const POLL: &str = "runtime.resource.async_op.poll";

/// The two halves, sharing the limits: wrap the console's layer into the first, and put
/// the second around it with `with_filter`.
pub fn around<L>(layer: L) -> (Gate<L>, GateFilter) {
    let limits = Arc::new(Limits::default());
    let gate = Gate {
        inner: layer,
        limits: Arc::clone(&limits),
    };
    (gate, GateFilter { limits })
}

/// Wraps the console's layer.
pub struct Gate<L> {
    inner: L,
    limits: Arc<Limits>,
}

/// The filter of the console's layer.
pub struct GateFilter {
    limits: Arc<Limits>,
}

struct Limits {
    tasks: Bucket,
    resources: Bucket,
    operations: Bucket,
}

impl Default for Limits {
    /// They follow from what the console holds per entry: about 40 KiB for a task (its
    /// histograms), 1 to 2 KiB for the others, each for half a minute after its end.
    fn default() -> Self {
        Self {
            tasks: Bucket::new(512, 8.0, 768),
            resources: Bucket::new(512, 20.0, 2048),
            operations: Bucket::new(1024, 50.0, 4096),
        }
    }
}

impl Limits {
    /// Whether the console may know of this new span; its pass, if so.
    fn admit(&self, attrs: &Attributes<'_>) -> Option<Pass> {
        let meta = attrs.metadata();
        // Ours are few: one per resource, and a pool of operations.
        if meta.target() == resource::TARGET {
            return Some(Pass(None));
        }
        match meta.name() {
            TASK => {
                let mut task = TaskName::default();
                attrs.record(&mut task);
                (task.named || task.block_on)
                    .then(|| self.tasks.take())
                    .flatten()
            }
            RESOURCE => {
                let mut origin = Origin::default();
                attrs.record(&mut origin);
                (!origin.library && !origin.internal)
                    .then(|| self.resources.take())
                    .flatten()
            }
            // The filter has seen that it is inside of a known resource.
            OPERATION => self.operations.take(),
            _ => Some(Pass(None)),
        }
    }
}

/// Whether the current span is of one of these kinds, and the console knows it.
fn current_is_known<S>(ctx: &Context<'_, S>, kinds: &[&str]) -> bool
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let current = ctx.current_span();
    let (Some(id), Some(meta)) = (current.id(), current.metadata()) else {
        return false;
    };
    // Mostly it is a request's span, so the name is looked at first.
    kinds.contains(&meta.name())
        && ctx
            .span(id)
            .is_some_and(|span| span.extensions().get::<Pass>().is_some())
}

/// What the console is interested in at all; the same rule as its own `spawn`.
fn is_for_console(meta: &Metadata<'_>) -> bool {
    if meta.is_event() {
        return meta.target().starts_with("runtime") || meta.target().starts_with("tokio");
    }
    meta.name().starts_with("runtime.") || meta.target().starts_with("tokio")
}

/// State changes and polls belong to the innermost resource or operation: the console
/// takes them for the innermost one *that it knows*, so they must not get through when
/// that is another one. Wakes name their task themselves.
fn is_about_innermost(meta: &Metadata<'_>) -> bool {
    meta.is_event() && meta.target().starts_with("runtime::resource")
}

impl<S> Filter<S> for GateFilter
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn enabled(&self, meta: &Metadata<'_>, ctx: &Context<'_, S>) -> bool {
        if !is_for_console(meta) || meta.name() == POLL {
            return false;
        }
        if meta.target() == resource::TARGET {
            return true;
        }
        if is_about_innermost(meta) {
            return match meta.target() {
                "runtime::resource::state_update" => current_is_known(ctx, &[RESOURCE, OPERATION]),
                _ => current_is_known(ctx, &[OPERATION]),
            };
        }
        match meta.name() {
            RESOURCE => self.limits.resources.has_any(),
            OPERATION => self.limits.operations.has_any() && current_is_known(ctx, &[RESOURCE]),
            _ => true,
        }
    }

    fn callsite_enabled(&self, meta: &'static Metadata<'static>) -> Interest {
        if !is_for_console(meta) || meta.name() == POLL {
            Interest::never()
        } else if meta.target() == resource::TARGET {
            Interest::always()
        } else if is_about_innermost(meta) || matches!(meta.name(), RESOURCE | OPERATION) {
            Interest::sometimes()
        } else {
            Interest::always()
        }
    }
}

/// Marks a span that the console knows, and counts it as open until it closes.
struct Pass(Option<Arc<AtomicUsize>>);

impl Drop for Pass {
    fn drop(&mut self) {
        if let Some(open) = &self.0 {
            open.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Lets through a burst, then so many per second, and never more than a number at once.
struct Bucket {
    burst: f64,
    per_second: f64,
    most_open: usize,
    open: Arc<AtomicUsize>,
    /// Tokens left, and when that was computed.
    level: Mutex<(f64, Instant)>,
}

impl Bucket {
    fn new(burst: u32, per_second: f64, most_open: usize) -> Self {
        Self {
            burst: f64::from(burst),
            per_second,
            most_open,
            open: Arc::new(AtomicUsize::new(0)),
            level: Mutex::new((f64::from(burst), Instant::now())),
        }
    }

    /// Whether [`Self::take`] would give something now.
    fn has_any(&self) -> bool {
        self.open.load(Ordering::Relaxed) < self.most_open && self.with_level(|level| *level >= 1.0)
    }

    fn take(&self) -> Option<Pass> {
        if self.open.load(Ordering::Relaxed) >= self.most_open {
            return None;
        }
        self.with_level(|level| {
            (*level >= 1.0).then(|| {
                *level -= 1.0;
                self.open.fetch_add(1, Ordering::Relaxed);
                Pass(Some(Arc::clone(&self.open)))
            })
        })
    }

    fn with_level<R>(&self, use_level: impl FnOnce(&mut f64) -> R) -> R {
        let mut state = self.level.lock().unwrap_or_else(PoisonError::into_inner);
        let (level, at) = &mut *state;
        let now = Instant::now();
        let elapsed = now.saturating_duration_since(*at).as_secs_f64();
        *level = (*level + elapsed * self.per_second).min(self.burst);
        *at = now;
        use_level(level)
    }
}

/// Reads a task's name; tokio writes an empty one when there is none.
#[derive(Default)]
struct TaskName {
    named: bool,
    block_on: bool,
}

impl Visit for TaskName {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        match field.name() {
            "task.name" => self.named = !format!("{value:?}").is_empty(),
            "kind" => self.block_on = format!("{value:?}") == "block_on",
            _ => {}
        }
    }
}

/// Reads where a resource was made: in the program, in a library, or inside of another
/// one (tokio's channels and semaphores stand on a second semaphore of no place).
#[derive(Default)]
struct Origin {
    library: bool,
    internal: bool,
}

impl Visit for Origin {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "loc.file" {
            // The compiler names the files of a workspace relative to it, those of
            // libraries absolutely; an installed program is itself built from there.
            self.library = std::path::Path::new(value).is_absolute()
                && !value.starts_with(env!("CARGO_MANIFEST_DIR"));
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.internal |= field.name() == "is_internal" && value;
    }

    fn record_debug(&mut self, _field: &Field, _value: &dyn std::fmt::Debug) {}
}

impl<S, L> Layer<S> for Gate<L>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    L: Layer<S>,
{
    fn on_new_span(&self, attrs: &Attributes<'_>, id: &Id, ctx: Context<'_, S>) {
        let Some(pass) = self.limits.admit(attrs) else {
            return;
        };
        if let Some(span) = ctx.span(id) {
            span.extensions_mut().replace(pass);
        }
        self.inner.on_new_span(attrs, id, ctx);
    }

    fn on_event(&self, event: &Event<'_>, ctx: Context<'_, S>) {
        self.inner.on_event(event, ctx);
    }

    fn on_register_dispatch(&self, subscriber: &tracing::Dispatch) {
        self.inner.on_register_dispatch(subscriber);
    }

    fn on_layer(&mut self, subscriber: &mut S) {
        self.inner.on_layer(subscriber);
    }

    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        self.inner.register_callsite(metadata)
    }

    fn enabled(&self, metadata: &Metadata<'_>, ctx: Context<'_, S>) -> bool {
        self.inner.enabled(metadata, ctx)
    }

    fn event_enabled(&self, event: &Event<'_>, ctx: Context<'_, S>) -> bool {
        self.inner.event_enabled(event, ctx)
    }

    fn on_record(&self, span: &Id, values: &Record<'_>, ctx: Context<'_, S>) {
        self.inner.on_record(span, values, ctx);
    }

    fn on_follows_from(&self, span: &Id, follows: &Id, ctx: Context<'_, S>) {
        self.inner.on_follows_from(span, follows, ctx);
    }

    fn on_enter(&self, id: &Id, ctx: Context<'_, S>) {
        self.inner.on_enter(id, ctx);
    }

    fn on_exit(&self, id: &Id, ctx: Context<'_, S>) {
        self.inner.on_exit(id, ctx);
    }

    fn on_close(&self, id: Id, ctx: Context<'_, S>) {
        self.inner.on_close(id, ctx);
    }

    fn on_id_change(&self, old: &Id, new: &Id, ctx: Context<'_, S>) {
        self.inner.on_id_change(old, new, ctx);
    }
}

#[cfg(test)]
mod tests {
    use std::panic::Location;

    use tracing::{Span, trace, trace_span};
    use tracing_subscriber::layer::SubscriberExt;
    use tracing_subscriber::registry::Registry;

    use super::*;

    /// Stands in for the console: writes down what reaches it.
    #[derive(Clone, Default)]
    struct Seen(Arc<Mutex<Vec<String>>>);

    impl Seen {
        fn push(&self, what: impl Into<String>) {
            self.0.lock().unwrap().push(what.into());
        }

        fn count(&self, what: &str) -> usize {
            let seen = self.0.lock().unwrap();
            seen.iter().filter(|one| *one == what).count()
        }
    }

    impl<S: Subscriber> Layer<S> for Seen {
        fn on_new_span(&self, attrs: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
            self.push(attrs.metadata().name());
        }

        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            self.push(event.metadata().target());
        }
    }

    fn with_gate(run: impl FnOnce()) -> Seen {
        let seen = Seen::default();
        let (gate, filter) = around(seen.clone());
        let layers: Vec<Box<dyn Layer<Registry> + Send + Sync>> =
            vec![gate.with_filter(filter).boxed()];
        let subscriber = tracing_subscriber::registry().with(layers);
        tracing::subscriber::with_default(subscriber, run);
        seen
    }

    fn task(name: &str, kind: &str) -> Span {
        trace_span!(target: "tokio::task", parent: None, "runtime.spawn", %kind, task.name = %name)
    }

    fn resource(file: &str) -> Span {
        trace_span!(parent: None, "runtime.resource", concrete_type = "Sleep", loc.file = file)
    }

    /// An operation with a change of its state and a poll, as tokio emits them.
    fn operate(resource: &Span) {
        let _resource = resource.enter();
        let operation = trace_span!("runtime.resource.async_op", source = "x");
        let poll = operation.in_scope(|| trace_span!("runtime.resource.async_op.poll"));
        let _operation = operation.enter();
        let _poll = poll.enter();
        trace!(target: "runtime::resource::async_op::state_update", a = 1, a.op = "override");
        trace!(target: "runtime::resource::poll_op", op_name = "x", is_ready = true);
    }

    #[test]
    fn nameless_tasks_stay_out() {
        let seen = with_gate(|| {
            drop(task("", "task"));
            drop(task("", "blocking"));
            drop(task("http-connection", "task"));
            drop(task("", "block_on"));
        });
        assert_eq!(seen.count(TASK), 2);
    }

    #[test]
    fn resources_of_libraries_stay_out_with_all_that_is_theirs() {
        let seen = with_gate(|| {
            operate(&resource("/somewhere/registry/src/sqlx/pool.rs"));
            assert_eq!(Location::caller().file(), file!());
            operate(&resource(file!()));
            operate(&trace_span!(parent: None, "runtime.resource", is_internal = true));
        });
        assert_eq!(seen.count(RESOURCE), 1);
        assert_eq!(seen.count(OPERATION), 1);
        assert_eq!(seen.count(POLL), 0);
        assert_eq!(seen.count("runtime::resource::poll_op"), 1);
        assert_eq!(seen.count("runtime::resource::async_op::state_update"), 1);
    }

    /// What happens to a hidden resource must not be told as if of the one around it.
    #[test]
    fn events_of_hidden_resources_do_not_reach_the_one_around() {
        let seen = with_gate(|| {
            let known = resource(file!());
            let _known = known.enter();
            operate(&resource("/somewhere/registry/src/sqlx/pool.rs"));
            resource("/elsewhere/lib.rs").in_scope(
                || trace!(target: "runtime::resource::state_update", b = 1, b.op = "override"),
            );
        });
        assert_eq!(seen.count(RESOURCE), 1);
        assert_eq!(seen.count(OPERATION), 0);
        assert_eq!(seen.count("runtime::resource::poll_op"), 0);
        assert_eq!(seen.count("runtime::resource::state_update"), 0);
    }

    #[test]
    fn a_flood_is_thinned_and_ours_always_pass() {
        let seen = with_gate(|| {
            let channel = resource(file!());
            for _ in 0..10_000 {
                drop(task("http-connection", "task"));
                drop(resource(file!()));
                operate(&channel);
                drop(
                    trace_span!(target: resource::TARGET, parent: None, "runtime.resource.async_op"),
                );
            }
        });
        // The bursts, and what a slow machine refills meanwhile.
        assert!((512..1_000).contains(&seen.count(TASK)));
        assert!((512..2_000).contains(&seen.count(RESOURCE)));
        let operations = seen.count(OPERATION);
        assert!((11_024..14_000).contains(&operations), "{operations}");
        let polls = seen.count("runtime::resource::poll_op");
        // Not equal: a subscriber that another test ends disturbs for a moment.
        assert!(polls <= operations - 10_000, "{polls} of {operations}");
    }

    #[test]
    fn only_so_many_may_be_open() {
        let bucket = Bucket::new(100, 1e9, 3);
        let open: Vec<_> = (0..5).filter_map(|_| bucket.take()).collect();
        assert_eq!(open.len(), 3);
        assert!(!bucket.has_any());
        drop(open);
        assert!(bucket.take().is_some());
    }
}

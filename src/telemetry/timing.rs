//! How long each span of ours took: tracing-timing, set up so that it is right.
//!
//! The layer measures gaps between the events of a span. Seeing spans only, without
//! recursion and with close events, the one gap left is from a span's creation to its
//! close: wall time, right also for functions that hop between threads. Grouping is by
//! name; by message (the crate's default) an event whose arguments log would hang.
//!
//! Samples rest with the threads that took them until they are gathered. Gathering
//! drops the threads' recorders (`force_synchronize`): the crate's documented `refresh`
//! waits for every idle thread, which is forever. No sample is lost either way.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use hdrhistogram::Histogram;
use tracing::Subscriber;
use tracing::dispatcher::Dispatch;
use tracing::span::{Attributes, Id};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;
use tracing_timing::{Builder, TimingLayer, group};

/// Longer spans count as this long (they saturate, they don't vanish): ten minutes.
const LONGEST_NS: u64 = 600_000_000_000;

/// Layers side by side. The crate's takes a lock of the whole layer for writing, twice for
/// each span, so threads that share one wait for each other.
const SHARDS: usize = 16;

type Timing = TimingLayer<group::ByName, group::ByName>;

/// Where the number of a span's thread begins in its id. Ids are those of `sharded-slab`:
/// the place (38 bits), the number of the thread that made it (13), how often the place was
/// taken. Were they made otherwise, threads would share a layer and wait for each other; a
/// test would tell.
const THREAD_SHIFT: u32 = 38;

/// The layer: each thread has its own of the crate's layers, as far as they go round. A
/// span ends in the one in which it began, since its id says which that is.
pub struct Sharded {
    shards: [Timing; SHARDS],
}

/// The layer; it needs a filter that lets only spans through.
pub fn layer() -> Sharded {
    Sharded {
        shards: std::array::from_fn(|_| {
            Builder::default()
                .events(group::ByName)
                .no_span_recursion()
                .span_close_events()
                // The crate clamps what is too long, so a histogram that grows would not.
                .layer(|| {
                    Histogram::new_with_max(LONGEST_NS, 2)
                        .unwrap_or_else(|error| unreachable!("these bounds are valid: {error}"))
                })
        }),
    }
}

impl<S> Layer<S> for Sharded
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attrs: &Attributes<'_>, id: &Id, ctx: Context<'_, S>) {
        self.shards[shard_of(id)].on_new_span(attrs, id, ctx);
    }

    fn on_close(&self, id: Id, ctx: Context<'_, S>) {
        self.shards[shard_of(&id)].on_close(id, ctx);
    }
}

/// The place of a span's layer: by the thread that made it.
fn shard_of(id: &Id) -> usize {
    // An id is one more than what the slab calls it, since none may be zero.
    let thread = (id.into_u64() - 1) >> THREAD_SHIFT;
    (thread % SHARDS as u64) as usize
}

/// Whether the dispatch holds the layer.
pub fn is_on(dispatch: &Dispatch) -> bool {
    dispatch.downcast_ref::<Sharded>().is_some()
}

/// Moves the samples of all threads into the histograms. Blocks for milliseconds.
pub fn gather(dispatch: &Dispatch) {
    if let Some(timing) = dispatch.downcast_ref::<Sharded>() {
        timing.shards.iter().for_each(Timing::force_synchronize);
    }
}

/// The histogram of each span name, in nanoseconds. Blocks for milliseconds.
pub fn histograms(dispatch: &Dispatch) -> HashMap<&'static str, Histogram<u64>> {
    let mut all: HashMap<&str, Histogram<u64>> = HashMap::new();
    let Some(timing) = dispatch.downcast_ref::<Sharded>() else {
        return all;
    };
    gather(dispatch);
    for shard in &timing.shards {
        shard.with_histograms(|groups| {
            for (name, events) in groups.iter() {
                // A span's only event is its own close.
                for histogram in events.values() {
                    match all.entry(*name) {
                        Entry::Vacant(entry) => {
                            entry.insert((**histogram).clone());
                        }
                        // Cannot fail: they have the same bounds.
                        Entry::Occupied(mut entry) => {
                            let _ = entry.get_mut().add(&**histogram);
                        }
                    }
                }
            }
        });
    }
    all
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tracing::{Instrument, debug_span};
    use tracing_subscriber::filter::filter_fn;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    fn dispatch() -> Dispatch {
        let layers = vec![
            layer()
                .with_filter(filter_fn(|meta| meta.is_span()))
                .boxed(),
        ];
        Dispatch::new(tracing_subscriber::registry().with(layers))
    }

    /// The total of a span is its own, whatever happens inside of it, and looking in
    /// between takes nothing away.
    #[test]
    fn spans_are_timed_whole_and_looking_loses_nothing() {
        let dispatch = dispatch();
        tracing::dispatcher::with_default(&dispatch, || {
            for _ in 0..3 {
                debug_span!("outer").in_scope(|| {
                    std::thread::sleep(Duration::from_millis(2));
                    debug_span!("inner").in_scope(|| tracing::info!("an event"));
                });
                assert!(!histograms(&dispatch).is_empty());
                gather(&dispatch);
            }
        });
        let spans = histograms(&dispatch);
        assert_eq!((spans["outer"].len(), spans["inner"].len()), (3, 3));
        assert!(spans["outer"].value_at_quantile(0.5) >= 2_000_000);
    }

    /// Threads that make spans at one time have layers of their own.
    #[test]
    fn each_thread_has_a_shard() {
        let dispatch = dispatch();
        let here = || {
            tracing::dispatcher::with_default(&dispatch, || {
                debug_span!("sharded").id().map(|id| shard_of(&id)).unwrap()
            })
        };
        let mut shards = vec![here(), here()];
        assert_eq!(shards[0], shards[1]);
        let all_there = std::sync::Barrier::new(SHARDS - 1);
        std::thread::scope(|threads| {
            let others: Vec<_> = (1..SHARDS)
                .map(|_| {
                    threads.spawn(|| {
                        let shard = here();
                        all_there.wait();
                        shard
                    })
                })
                .collect();
            shards.extend(others.into_iter().map(|other| other.join().unwrap()));
        });
        shards.sort_unstable();
        shards.dedup();
        // Other tests of this process make spans too, so not each number need be there.
        assert!(shards.len() > SHARDS / 4, "{shards:?}");
    }

    /// Recording from several threads while somebody looks all the time.
    #[test]
    fn counts_are_exact_while_being_watched() {
        let dispatch = dispatch();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        std::thread::scope(|threads| {
            for _ in 0..4 {
                threads.spawn(|| {
                    let _default = tracing::dispatcher::set_default(&dispatch);
                    for _ in 0..500 {
                        debug_span!("watched").in_scope(|| ());
                    }
                });
            }
            for _ in 0..50 {
                histograms(&dispatch);
            }
        });
        tracing::dispatcher::with_default(&dispatch, || {
            runtime.block_on(async {}.instrument(debug_span!("watched")));
        });
        assert_eq!(histograms(&dispatch)["watched"].len(), 2_001);
    }
}

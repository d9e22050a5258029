//! Has a task tell where it is parked.
//!
//! tokio's own dump stops all workers at once. In 1.54 a worker that comes more than
//! 250 ms late to that meeting leaves the others waiting for ever, so it is not for a
//! server that is in trouble. Here nobody waits for anybody: each task that we spawn keeps
//! a spot. Whoever wants its stack marks the spot and wakes the task, and its next poll is
//! traced: every place that waits notes its stack and says "not yet", and the task is
//! polled again right after. A task that does not come to it stays silent.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::runtime::dump::Trace;

use super::alive;

/// Spots at most; tasks beyond have none. A few MB in all.
const SPOTS: usize = 65_536;

static KEYS: AtomicU64 = AtomicU64::new(0);
static ALL: LazyLock<Mutex<HashMap<u64, Arc<Spot>>>> = LazyLock::new(Mutex::default);

/// Where a task is asked, and answers.
#[derive(Default)]
pub struct Spot {
    wanted: AtomicBool,
    number: AtomicU64,
    waker: Mutex<Option<Waker>>,
    told: Mutex<Option<Trace>>,
}

impl Spot {
    /// Asks the task for its stack.
    pub fn ask(&self) {
        *lock(&self.told) = None;
        self.wanted.store(true, Ordering::Release);
        let waker = lock(&self.waker).clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Whether it has answered.
    pub fn has_told(&self) -> bool {
        lock(&self.told).is_some()
    }

    /// Takes the answer away.
    pub fn take(&self) -> Option<Trace> {
        lock(&self.told).take()
    }

    /// The first poll says which task it is and how to wake it, once and for all.
    fn settle(&self, context: &Context<'_>) {
        if let Some(id) = tokio::task::try_id() {
            self.number.store(alive::number(id), Ordering::Relaxed);
        }
        *lock(&self.waker) = Some(context.waker().clone());
    }

    fn poll<F: Future>(&self, future: Pin<&mut F>, context: &mut Context<'_>) -> Poll<F::Output> {
        if !self.wanted.load(Ordering::Acquire) {
            return future.poll(context);
        }
        self.wanted.store(false, Ordering::Relaxed);
        let (poll, trace) = Trace::capture(|| future.poll(context));
        *lock(&self.told) = Some(trace);
        poll
    }
}

/// A spot for as long as its task lives.
struct Kept {
    key: u64,
    spot: Arc<Spot>,
}

impl Kept {
    fn new() -> Self {
        let kept = Self {
            key: KEYS.fetch_add(1, Ordering::Relaxed),
            spot: Arc::default(),
        };
        let mut all = lock(&ALL);
        if all.len() < SPOTS {
            all.insert(kept.key, Arc::clone(&kept.spot));
        }
        kept
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let removed = lock(&ALL).remove(&self.key);
        // Outside of the lock: the waker may be the last to hold the task.
        *lock(&self.spot.waker) = None;
        drop(removed);
    }
}

/// A future that can be asked where it is parked, once it is a task.
pub(super) fn with_spot<F>(future: F) -> impl Future<Output = F::Output> + Send + 'static
where
    F: Future + Send + 'static,
{
    let mut future = Box::pin(future);
    let kept = Kept::new();
    let mut settled = false;
    poll_fn(move |context| {
        if !settled {
            settled = true;
            kept.spot.settle(context);
        }
        kept.spot.poll(future.as_mut(), context)
    })
}

/// The spots of all tasks that have one, by the task's number.
pub fn all() -> HashMap<u64, Arc<Spot>> {
    let all = lock(&ALL);
    all.values()
        .map(|spot| (spot.number.load(Ordering::Relaxed), Arc::clone(spot)))
        .collect()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A task that waits tells where, goes on as if nothing was, and leaves no spot.
    #[tokio::test]
    async fn a_task_tells_where_it_waits_and_goes_on() {
        let (end, ended) = tokio::sync::oneshot::channel::<u32>();
        let task = super::super::spawn("spot-test", ended);
        let number = alive::number(task.id());
        tokio::task::yield_now().await;
        let spot = Arc::clone(&all()[&number]);
        for _ in 0..3 {
            spot.ask();
            while !spot.has_told() {
                tokio::task::yield_now().await;
            }
            assert!(!spot.take().unwrap().resolve_backtraces().is_empty());
        }
        end.send(7).unwrap();
        assert_eq!(task.await.unwrap(), Ok(7));
        assert!(!all().contains_key(&number));
        assert_eq!(Arc::strong_count(&spot), 1);
    }
}

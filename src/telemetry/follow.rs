//! Finished requests as they come, for readers that follow. One that reads too slowly
//! misses some and is told how many.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

use tokio::sync::broadcast::{self, Receiver, Sender};

use super::request::Finished;

/// Requests that a reader may be behind.
const BEHIND: usize = 1_024;
/// Readers at one time.
const READERS: usize = 16;

static SENDER: LazyLock<Sender<Arc<Finished>>> = LazyLock::new(|| broadcast::channel(BEHIND).0);

/// Whether anybody has ever followed. Mostly nobody has, and then a request takes no lock.
static FOLLOWED: AtomicBool = AtomicBool::new(false);

/// Shows a finished request to those who follow.
pub fn show(finished: &Finished) {
    if FOLLOWED.load(Ordering::Relaxed) && SENDER.receiver_count() > 0 {
        // Fails when the last reader has just gone.
        let _ = SENDER.send(Arc::new(finished.clone()));
    }
}

/// Follows from now on; none when there are as many readers as there may be.
pub fn follow() -> Option<Receiver<Arc<Finished>>> {
    (SENDER.receiver_count() < READERS).then(|| {
        let receiver = SENDER.subscribe();
        FOLLOWED.store(true, Ordering::Relaxed);
        receiver
    })
}

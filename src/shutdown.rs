//! The signal to stop, handed to every long-lived task.

use tokio::sync::watch;

/// Says when to stop; each holder of a clone hears it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Shutdown {
    begun: watch::Receiver<bool>,
}

/// Begins the stop.
#[derive(Debug)]
pub struct Trigger {
    begun: watch::Sender<bool>,
}

/// A trigger and what it triggers.
pub fn pair() -> (Trigger, Shutdown) {
    let (sender, receiver) = watch::channel(false);
    (Trigger { begun: sender }, Shutdown { begun: receiver })
}

impl Trigger {
    /// Begins the stop; more than once is once.
    pub fn begin(&self) {
        self.begun.send_replace(true);
    }
}

impl Shutdown {
    /// Waits until the stop has begun. A trigger that is gone counts as one that fired.
    pub async fn begun(&self) {
        let mut begun = self.begun.clone();
        let _ = begun.wait_for(|begun| *begun).await;
    }
}

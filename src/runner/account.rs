//! The account of what running jobs hold, and what may be claimed on top.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// What a job holds while it runs, or a machine has in all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Needs {
    pub(super) cpus: i64,
    /// In bytes.
    pub(super) memory: i64,
    pub(super) gpus: i64,
}

/// What limits the jobs that run at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Capacity {
    /// Their number, whatever they need.
    Slots(usize),
    /// What they need together.
    Machine(Needs),
}

/// What to ask the server for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Request {
    /// So many jobs.
    Next { limit: usize },
    /// Jobs that fit into this together, at most one for each CPU.
    Fitting { offer: Needs },
}

/// Who holds what.
#[derive(Debug)]
pub(super) struct Account {
    capacity: Capacity,
    held: Needs,
    jobs: usize,
}

impl Account {
    pub(super) fn new(capacity: Capacity) -> Self {
        Self {
            capacity,
            held: Needs::default(),
            jobs: 0,
        }
    }

    /// Jobs that hold something.
    pub(super) fn jobs(&self) -> usize {
        self.jobs
    }

    /// Whether a claimed job may start. What was claimed by resources fits by itself.
    pub(super) fn may_start(&self) -> bool {
        match self.capacity {
            Capacity::Slots(slots) => self.jobs < slots,
            Capacity::Machine(_) => true,
        }
    }

    pub(super) fn take(&mut self, needs: Needs) {
        self.jobs += 1;
        self.held.cpus += needs.cpus;
        self.held.memory += needs.memory;
        self.held.gpus += needs.gpus;
    }

    pub(super) fn give_back(&mut self, needs: Needs) {
        self.jobs -= 1;
        self.held.cpus -= needs.cpus;
        self.held.memory -= needs.memory;
        self.held.gpus -= needs.gpus;
    }

    /// What to claim while `queued` jobs wait for a slot and `ahead` may.
    ///
    /// A full queue is topped up only when half of it is gone, so that each
    /// request brings several jobs.
    pub(super) fn request(&self, queued: usize, ahead: usize) -> Option<Request> {
        match self.capacity {
            Capacity::Slots(slots) => {
                let limit = (slots + ahead).saturating_sub(self.jobs + queued);
                let enough = limit > 0 && (queued == 0 || limit >= ahead.div_ceil(2));
                enough.then_some(Request::Next { limit })
            }
            Capacity::Machine(all) => {
                let offer = Needs {
                    cpus: all.cpus - self.held.cpus,
                    memory: all.memory - self.held.memory,
                    gpus: (all.gpus - self.held.gpus).max(0),
                };
                let enough = offer.cpus > 0 && offer.memory > 0;
                enough.then_some(Request::Fitting { offer })
            }
        }
    }

    /// The most jobs that it makes sense to have waiting.
    pub(super) fn most_ahead(&self) -> usize {
        match self.capacity {
            Capacity::Slots(slots) => slots,
            // A job that waits here for resources could run elsewhere.
            Capacity::Machine(_) => 0,
        }
    }
}

/// How fast jobs end here, and so how many to claim ahead.
///
/// Jobs of milliseconds must not wait for a round trip; jobs of minutes must not lie
/// in a queue here while another worker has nothing to do.
#[derive(Debug, Default)]
pub(super) struct Pace {
    ends: VecDeque<Instant>,
}

/// Endings older than this say nothing about the pace.
const WINDOW: Duration = Duration::from_millis(500);
/// As many jobs are claimed ahead as end in a fifth of the window, 100 ms.
const SHARE: usize = 5;

impl Pace {
    /// Notes the end of a job; `most` is the most that [`Pace::ahead`] will be asked for.
    pub(super) fn ended(&mut self, now: Instant, most: usize) {
        self.ends.push_back(now);
        while self.ends.len() > most.saturating_mul(SHARE) {
            self.ends.pop_front();
        }
    }

    /// How many jobs will be started in the time of a few round trips, at most `most`.
    pub(super) fn ahead(&mut self, now: Instant, most: usize) -> usize {
        while self.ends.front().is_some_and(|end| now - *end > WINDOW) {
            self.ends.pop_front();
        }
        (self.ends.len() / SHARE).min(most)
    }
}

/// Reads `512m` and the like: an integer with a suffix of the powers of 1024.
pub(super) fn memory_bytes(text: &str) -> Option<i64> {
    let text = text.trim();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        _ => return None,
    };
    digits.parse::<i64>().ok()?.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use tokio::time::Instant;

    use super::{Account, Capacity, Needs, Pace, Request, memory_bytes};

    #[test]
    fn memory_is_read_as_the_contract_writes_it() {
        assert_eq!(memory_bytes("512"), Some(512));
        assert_eq!(memory_bytes("1m"), Some(1 << 20));
        assert_eq!(memory_bytes("2G"), Some(2 << 30));
        for bad in ["", "g", "1.5g", "1gb", "m1", "99999999999t"] {
            assert_eq!(memory_bytes(bad), None, "{bad}");
        }
    }

    #[test]
    fn slots_ask_for_what_is_free_and_a_queue_is_topped_up_by_halves() {
        let mut account = Account::new(Capacity::Slots(4));
        let next = |limit| Some(Request::Next { limit });
        assert_eq!(account.request(0, 0), next(4));
        assert_eq!(account.request(0, 4), next(8));
        for _ in 0..4 {
            account.take(Needs::default());
        }
        assert!(!account.may_start());
        assert_eq!(account.request(0, 0), None);
        assert_eq!(account.request(4, 4), None);
        assert_eq!(account.request(3, 4), None);
        assert_eq!(account.request(2, 4), next(2));
    }

    #[test]
    fn a_slow_worker_claims_nothing_ahead_and_a_fast_one_up_to_the_limit() {
        let start = Instant::now();
        let mut pace = Pace::default();
        for nth in 0..1000 {
            pace.ended(start + Duration::from_millis(nth), 16);
        }
        let now = start + Duration::from_secs(1);
        assert_eq!(pace.ahead(now, 16), 16);
        assert_eq!(pace.ahead(now, 4), 4);
        assert_eq!(pace.ahead(now + Duration::from_secs(1), 16), 0);
        pace.ended(now, 16);
        assert_eq!(pace.ahead(now, 16), 0);
    }

    fn needs() -> impl Strategy<Value = Needs> {
        (1_i64..4, 1_i64..1000, 0_i64..2).prop_map(|(cpus, memory, gpus)| Needs {
            cpus,
            memory,
            gpus,
        })
    }

    proptest! {
        /// A server that packs into the offer never makes the worker exceed its machine.
        #[test]
        fn what_fits_the_offer_fits_the_machine(
            jobs in proptest::collection::vec((needs(), any::<bool>()), 0..50),
        ) {
            let all = Needs { cpus: 8, memory: 2000, gpus: 2 };
            let mut account = Account::new(Capacity::Machine(all));
            let mut running: Vec<Needs> = Vec::new();
            for (job, ends_first) in jobs {
                if ends_first && let Some(ended) = running.pop() {
                    account.give_back(ended);
                }
                let Some(Request::Fitting { offer }) = account.request(0, 0) else { continue };
                if job.cpus <= offer.cpus && job.memory <= offer.memory && job.gpus <= offer.gpus {
                    account.take(job);
                    running.push(job);
                }
                prop_assert!(running.iter().map(|job| job.cpus).sum::<i64>() <= all.cpus);
                prop_assert!(running.iter().map(|job| job.memory).sum::<i64>() <= all.memory);
                prop_assert!(running.iter().map(|job| job.gpus).sum::<i64>() <= all.gpus);
            }
            prop_assert_eq!(account.jobs(), running.len());
            running.into_iter().for_each(|job| account.give_back(job));
            prop_assert_eq!(account.request(0, 0), Some(Request::Fitting { offer: all }));
        }
    }
}

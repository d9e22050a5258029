//! Packing jobs onto what a worker offers: pure, greedy in the order given.
//!
//! Jobs that need one node share all nodes as one pool; a job that needs more
//! takes whole nodes for itself (contract, behaviour 10.2).

use crate::store::ready::NeedsRow;

/// What a worker offers, per node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer {
    /// CPUs of one node.
    pub cpus: i64,
    /// Bytes of memory of one node.
    pub memory_bytes: i64,
    /// GPUs of one node.
    pub gpus: i64,
    /// Nodes; fewer than 1 counts as 1.
    pub nodes: i64,
    /// Seconds left, where there is a limit.
    pub time_limit_s: Option<i64>,
}

impl Offer {
    /// Whether a job fits on a worker that runs nothing else.
    pub fn could_run(&self, needs: &NeedsRow) -> bool {
        needs.num_cpus <= self.cpus
            && needs.memory_bytes <= self.memory_bytes
            && needs.num_gpus <= self.gpus
            && needs.num_nodes <= self.nodes
            && self
                .time_limit_s
                .is_none_or(|limit| needs.runtime_s <= limit)
    }
}

/// An offer and what has been taken of it.
#[derive(Debug, Clone, Copy)]
pub struct Pack {
    offer: Offer,
    nodes: i64,
    exclusive: i64,
    cpus: i64,
    memory_bytes: i64,
    gpus: i64,
}

impl Pack {
    /// An offer of which nothing is taken.
    pub fn new(offer: Offer) -> Self {
        Self {
            offer,
            nodes: offer.nodes.max(1),
            exclusive: 0,
            cpus: 0,
            memory_bytes: 0,
            gpus: 0,
        }
    }

    /// Takes what a job needs, if it is left; says whether it was.
    pub fn take(&mut self, needs: &NeedsRow) -> bool {
        let mut after = *self;
        if needs.num_nodes > 1 {
            after.exclusive = after.exclusive.saturating_add(needs.num_nodes);
        } else {
            after.cpus = after.cpus.saturating_add(needs.num_cpus);
            after.memory_bytes = after.memory_bytes.saturating_add(needs.memory_bytes);
            after.gpus = after.gpus.saturating_add(needs.num_gpus);
        }
        let fits = after.within();
        if fits {
            *self = after;
        }
        fits
    }

    fn within(&self) -> bool {
        let shared = self.nodes - self.exclusive;
        shared >= 0
            && self.cpus <= shared.saturating_mul(self.offer.cpus)
            && self.memory_bytes <= shared.saturating_mul(self.offer.memory_bytes)
            && self.gpus <= shared.saturating_mul(self.offer.gpus)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn needs() -> impl Strategy<Value = NeedsRow> {
        (0..6i64, 0..3i64, 1..4i64, 0..6i64).prop_map(|(num_cpus, num_gpus, num_nodes, memory)| {
            NeedsRow {
                num_cpus,
                num_gpus,
                num_nodes,
                memory_bytes: memory,
                runtime_s: 60,
            }
        })
    }

    proptest! {
        /// However many jobs are offered, what was taken fits, and the first that fits alone is taken.
        #[test]
        fn never_more_than_there_is(
            jobs in proptest::collection::vec(needs(), 1..30),
            cpus in 0..9i64, memory_bytes in 0..9i64, gpus in 0..4i64, nodes in 1..5i64,
        ) {
            let offer = Offer { cpus, memory_bytes, gpus, nodes, time_limit_s: None };
            let mut pack = Pack::new(offer);
            let taken: Vec<_> = jobs.iter().filter(|job| pack.take(job)).collect();

            let exclusive: i64 = taken.iter().filter(|j| j.num_nodes > 1).map(|j| j.num_nodes).sum();
            let shared = || taken.iter().filter(|j| j.num_nodes <= 1);
            prop_assert!(exclusive <= nodes);
            let left = nodes - exclusive;
            prop_assert!(shared().map(|j| j.num_cpus).sum::<i64>() <= left * cpus);
            prop_assert!(shared().map(|j| j.memory_bytes).sum::<i64>() <= left * memory_bytes);
            prop_assert!(shared().map(|j| j.num_gpus).sum::<i64>() <= left * gpus);
            if offer.could_run(&jobs[0]) {
                prop_assert!(Pack::new(offer).take(&jobs[0]));
            }
        }

        /// Packing skips what does not fit and goes on: a refused job changes nothing.
        #[test]
        fn a_refusal_leaves_no_trace(job in needs(), big in 10..20i64) {
            let offer = Offer { cpus: 8, memory_bytes: 8, gpus: 2, nodes: 1, time_limit_s: None };
            let mut with = Pack::new(offer);
            let mut without = Pack::new(offer);
            let too_big = NeedsRow { num_cpus: big, num_nodes: 1, ..job };
            prop_assert!(!with.take(&too_big));
            prop_assert_eq!(with.take(&job), without.take(&job));
        }
    }
}

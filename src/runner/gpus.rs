//! Which GPUs a job may see, so that two jobs never compute on the same one.

/// The variable that says which GPUs this worker may see itself.
pub(super) const VISIBLE: &str = "CUDA_VISIBLE_DEVICES";

/// The variables by which jobs learn of their GPUs: each kind of library has its own.
pub(super) const NAMES: [&str; 4] = [
    VISIBLE,
    "HIP_VISIBLE_DEVICES",
    "ROCR_VISIBLE_DEVICES",
    "TORC_GPU_VISIBLE_DEVICES",
];

/// The GPUs that no job has.
#[derive(Debug)]
pub(super) struct Gpus {
    free: Vec<String>,
}

impl Gpus {
    /// So many GPUs; the names are the worker's own where it was given enough, else numbers.
    pub(super) fn new(count: i64, visible: Option<&str>) -> Self {
        let count = usize::try_from(count).unwrap_or_default();
        let mut free: Vec<String> = visible
            .unwrap_or_default()
            .split(',')
            .map(|name| name.trim().to_owned())
            .filter(|name| !name.is_empty())
            .collect();
        if free.len() < count {
            free = (0..count).map(|nth| nth.to_string()).collect();
        }
        free.truncate(count);
        free.reverse();
        Self { free }
    }

    /// Takes so many; fewer where there are not enough, as when jobs are claimed by number.
    pub(super) fn take(&mut self, count: i64) -> Vec<String> {
        let count = usize::try_from(count).unwrap_or_default();
        let kept = self.free.len().saturating_sub(count);
        self.free.drain(kept..).rev().collect()
    }

    pub(super) fn give_back(&mut self, gpus: Vec<String>) {
        self.free.extend(gpus.into_iter().rev());
    }
}

#[cfg(test)]
mod tests {
    use super::Gpus;

    #[test]
    fn jobs_get_gpus_of_their_own() {
        let mut gpus = Gpus::new(3, None);
        let (first, second) = (gpus.take(2), gpus.take(1));
        assert_eq!(
            (first.as_slice(), second.as_slice()),
            (&["0", "1"].map(String::from)[..], &["2".to_owned()][..])
        );
        assert!(gpus.take(1).is_empty());
        gpus.give_back(first);
        assert_eq!(gpus.take(2), ["0", "1"]);
    }

    #[test]
    fn the_workers_own_list_counts_if_it_is_long_enough() {
        assert_eq!(Gpus::new(2, Some("5, GPU-a,7")).take(9), ["5", "GPU-a"]);
        assert_eq!(Gpus::new(2, Some("5")).take(9), ["0", "1"]);
        assert!(Gpus::new(0, Some("5")).take(1).is_empty());
    }
}

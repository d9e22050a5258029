//! What the workers were given: that no job is given twice, none is lost, and none
//! before those that it waits for.

use std::time::{Duration, Instant};

use super::Outcome;
use super::api::Api;
use super::flow::Flow;

/// Violations that are told in words; the rest is only counted.
const TOLD: usize = 20;

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// No job of ours has this id.
    Foreign,
    Waiting,
    Claimed,
    Completed,
}

struct Layer {
    /// Jobs whose completion was not even asked for.
    unasked: usize,
    /// Jobs whose completion was not answered.
    unanswered: usize,
    ended: Option<Instant>,
    seen: bool,
}

/// What to think of a claimed job.
pub enum Claimed {
    /// It is somebody else's; the violation is noted.
    Wrongly,
    /// It is the claimer's to run.
    Rightly,
    /// The same, and the first of its layer, so long after the layer before ended.
    FirstOfLayer(Duration),
}

/// Every job of a workflow, and where it stands by what the server told us.
pub struct Ledger {
    first: i64,
    states: Vec<(State, u32)>,
    layers: Vec<Layer>,
    total: usize,
    claimed: usize,
    completed: usize,
    violations: Vec<String>,
    untold: usize,
}

impl Ledger {
    /// The jobs of a workflow, none of them claimed.
    pub fn new(flow: &Flow) -> Outcome<Self> {
        let ids = || flow.layers.iter().flatten().copied();
        let first = ids().min().unwrap_or_default();
        let span = usize::try_from(ids().max().unwrap_or_default() - first)? + 1;
        if span > flow.jobs() * 4 + 1_000 {
            return Err("the ids of the jobs are scattered too widely for the ledger".into());
        }
        let mut states = vec![(State::Foreign, 0); span];
        let mut layers = Vec::new();
        for (level, layer) in flow.layers.iter().enumerate() {
            for id in layer {
                let state = &mut states[usize::try_from(id - first)?];
                if state.0 != State::Foreign {
                    return Err(format!("two jobs were created with the id {id}").into());
                }
                *state = (State::Waiting, u32::try_from(level)?);
            }
            layers.push(Layer {
                unasked: layer.len(),
                unanswered: layer.len(),
                ended: None,
                seen: false,
            });
        }
        Ok(Self {
            first,
            states,
            layers,
            total: flow.jobs(),
            claimed: 0,
            completed: 0,
            violations: Vec::new(),
            untold: 0,
        })
    }

    /// How many jobs are completed.
    pub fn completed(&self) -> usize {
        self.completed
    }

    /// Whether every job was claimed.
    pub fn all_claimed(&self) -> bool {
        self.claimed == self.total
    }

    /// What was wrong, in words.
    pub fn into_violations(mut self) -> Vec<String> {
        if self.untold > 0 {
            let more = format!("{} more of that kind", self.untold);
            self.violations.push(more);
        }
        self.violations
    }

    fn state(&mut self, id: i64) -> Option<&mut (State, u32)> {
        let at = usize::try_from(id.checked_sub(self.first)?).ok()?;
        self.states.get_mut(at).filter(|s| s.0 != State::Foreign)
    }

    fn violation(&mut self, text: impl FnOnce() -> String) {
        if self.violations.len() < TOLD {
            self.violations.push(text());
        } else {
            self.untold += 1;
        }
    }

    /// A claim was answered with this job: says whether its claimer may run it.
    pub fn claim(&mut self, id: i64) -> Claimed {
        let Some((state, level)) = self.state(id) else {
            self.violation(|| format!("job {id} was claimed, and it is none of ours"));
            return Claimed::Wrongly;
        };
        if *state != State::Waiting {
            self.violation(|| format!("job {id} was claimed twice"));
            return Claimed::Wrongly;
        }
        *state = State::Claimed;
        let level = *level as usize;
        self.claimed += 1;
        let Some(before) = level.checked_sub(1) else {
            return Claimed::Rightly;
        };
        let blockers = &self.layers[before];
        if blockers.unasked > 0 {
            self.violation(|| format!("job {id} was claimed before those it waits for ended"));
            return Claimed::Rightly;
        }
        // Another worker's claim may be answered before the completion that allowed it.
        let gap = blockers.ended.map_or(Duration::ZERO, |at| at.elapsed());
        match std::mem::replace(&mut self.layers[level].seen, true) {
            true => Claimed::Rightly,
            false => Claimed::FirstOfLayer(gap),
        }
    }

    /// A claimed job was made ready again.
    pub fn put_back(&mut self, id: i64) {
        if let Some((state, _)) = self.state(id) {
            *state = State::Waiting;
            self.claimed -= 1;
        }
    }

    /// The completion of a job is about to be asked for.
    pub fn completing(&mut self, id: i64) {
        if let Some(&mut (_, level)) = self.state(id) {
            self.layers[level as usize].unasked -= 1;
        }
    }

    /// The completion of a job was answered.
    pub fn complete(&mut self, id: i64) {
        let Some((state, level)) = self.state(id) else {
            return;
        };
        *state = State::Completed;
        let level = *level as usize;
        self.completed += 1;
        let layer = &mut self.layers[level];
        layer.unanswered -= 1;
        if layer.unanswered == 0 {
            layer.ended = Some(Instant::now());
        }
    }

    /// Asks the server whether it counts as we do; `whole` when every job should be over.
    pub async fn compare(&mut self, api: &mut Api, flow: &Flow, whole: bool) -> Outcome<()> {
        let status = api.status(flow.id).await?;
        let ours = self.completed as i64;
        let theirs = status
            .jobs_by_status
            .get("completed")
            .copied()
            .unwrap_or_default();
        if theirs != ours {
            self.violation(|| format!("{ours} jobs were completed, the server counts {theirs}"));
        }
        let results = api.results(flow.id).await?;
        if results != ours {
            self.violation(|| format!("{ours} jobs were completed, with {results} results"));
        }
        if whole && (!status.is_complete || self.completed != flow.jobs()) {
            let jobs = flow.jobs();
            let word = if status.is_complete { "" } else { "not " };
            self.violation(|| {
                format!("{ours} of {jobs} jobs were completed, the server says it is {word}over")
            });
        }
        Ok(())
    }
}

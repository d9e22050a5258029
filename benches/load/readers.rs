//! Readers beside the workers: they page through jobs, get single ones and ask how the
//! workflow stands.

use std::time::{Duration, Instant};

use super::Outcome;
use super::http::Connection;
use super::open_loop::Arrivals;
use super::report::Call;
use super::workers::Field;

/// Jobs to a page.
const PAGE: usize = 100;

/// How many readers there are, and when they ask.
#[derive(Debug, Default)]
pub struct Readers {
    /// How many.
    pub count: usize,
    /// What their times of arrival start from.
    pub seed: u64,
    /// Half of the calls pages and half single jobs, in turn; else all kinds by chance.
    pub in_turn: bool,
    /// The mean time between the calls of one; without it, a call follows an answer.
    pub every: Option<Duration>,
}

impl Readers {
    /// What the `nth` of them does, until the workers are done.
    pub async fn read(&self, nth: usize, field: &Field<'_>, host: &str) -> Outcome<()> {
        let seed = self.seed + nth as u64;
        let mut conn = Connection::open(host).await?;
        let mut random = fastrand::Rng::with_seed(seed);
        let mut arrivals = self.every.map(|mean| Arrivals::by_chance(mean, seed));
        let mut listed = false;
        while !field.over() {
            let begun = match &mut arrivals {
                Some(arrivals) => {
                    let due = arrivals.next().await;
                    field.record_late(due.late);
                    due.since
                }
                None => Instant::now(),
            };
            listed = !listed;
            let call = match random.u8(..10) {
                _ if self.in_turn && listed => Call::ListJobs,
                _ if self.in_turn => Call::GetJob,
                0..5 => Call::ListJobs,
                5..7 => Call::GetJob,
                7..9 => Call::Status,
                _ => Call::IsComplete,
            };
            read(&mut conn, field, call, &mut random).await?;
            field.record(call, begun);
        }
        Ok(())
    }
}

async fn read(
    conn: &mut Connection,
    field: &Field<'_>,
    call: Call,
    random: &mut fastrand::Rng,
) -> Outcome<()> {
    let flow = field.flow();
    let jobs = flow.layers.first().map_or(&[][..], Vec::as_slice);
    let at = random.usize(..jobs.len().max(1));
    match call {
        Call::ListJobs => {
            let page = at / PAGE * PAGE;
            let path = format_args!("/jobs?workflow_id={}&limit={PAGE}&offset={page}", flow.id);
            conn.ok("GET", path, b"").await?
        }
        Call::GetJob => {
            let job = jobs.get(at).copied().unwrap_or_default();
            conn.ok("GET", format_args!("/jobs/{job}"), b"").await?
        }
        Call::Status => {
            let path = format_args!("/workflows/{}/status", flow.id);
            conn.ok("GET", path, b"").await?
        }
        _ => {
            let path = format_args!("/workflows/{}/is_complete", flow.id);
            conn.ok("GET", path, b"").await?
        }
    };
    Ok(())
}

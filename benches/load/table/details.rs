//! The second table: for each row and server what the rate was made of.

use std::fmt::Write as _;

use super::{Outcome, Runs, median};
use crate::report::Report;

/// Writes a line for each row and server.
pub fn write(runs: &Runs, text: &mut String) -> Outcome<()> {
    text.push_str(
        "| row | server | runs | jobs/s (least to most) | server CPU µs/job | client CPU µs/job | \
         claim p50 / p99 ms | start p99 | complete p99 | peak MB | database B/job | \
         other cores |\n|---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for ((row, server), runs) in runs {
        let over = |figure: &dyn Fn(&Report) -> Option<f64>| {
            let values: Vec<f64> = runs.iter().filter_map(figure).collect();
            let least = values.iter().copied().fold(f64::INFINITY, f64::min);
            let most = values.iter().copied().fold(0.0, f64::max);
            median(&values).map(|middle| (middle, least, most))
        };
        let middle = |figure: &dyn Fn(&Report) -> Option<f64>, digits: usize| {
            let found = over(figure);
            found.map_or("–".to_owned(), |(middle, ..)| {
                format!("{middle:.digits$}")
            })
        };
        let call = |name: &'static str| move |run: &Report| Some(run.calls.get(name)?.p99 / 1e3);
        let rate = over(&|run| Some(run.phases.last()?.per_second))
            .map_or("–".to_owned(), |(middle, least, most)| {
                format!("{middle:.0} ({least:.0} to {most:.0})")
            });
        let phase = |run: &Report| run.phases.last().cloned();
        let server_cpu = middle(&|run| phase(run)?.server_cpu_us_per_job, 0);
        let client_cpu = middle(
            &|run| {
                let phase = phase(run)?;
                Some(phase.client_cpu_s * 1e6 / phase.count.max(1) as f64)
            },
            0,
        );
        let claim = middle(&|run| Some(run.calls.get("claim")?.p50 / 1e3), 2);
        let claim_slow = middle(&call("claim"), 2);
        let start = middle(&call("start"), 2);
        let complete = middle(&call("complete"), 2);
        let peak = middle(&|run| run.peak_memory_mb, 0);
        let database = middle(&|run| run.database_bytes_per_job, 0);
        let others = middle(&|run| Some(phase(run)?.other_cores), 2);
        writeln!(
            text,
            "| {row} | {server} | {} | {rate} | {server_cpu} | {client_cpu} | {claim} / {claim_slow} \
             | {start} | {complete} | {peak} | {database} | {others} |",
            runs.len()
        )?;
    }
    Ok(())
}

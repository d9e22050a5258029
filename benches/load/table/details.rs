//! The second table: for each row and server what the rate was made of.

use std::fmt::Write as _;

use super::{Outcome, Runs, median};
use crate::report::{Phase, Report};

/// Writes a line for each row, server and phase that counts.
pub fn write(runs: &Runs, text: &mut String) -> Outcome<()> {
    text.push_str(
        "| row, phase | server | runs | jobs/s (least to most) | server CPU µs/job \
         | client CPU µs/job | claim p50 / p99 ms | start p99 | complete p99 | peak MB \
         | database B/job | other cores |\n|---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for ((row, server), runs) in runs {
        for phase in phases(runs) {
            line(row, server, &phase, runs, text)?;
        }
    }
    Ok(())
}

/// The last phase is what a row is about; without workers, creating and initialising are.
fn phases(runs: &[Report]) -> Vec<String> {
    let names = runs.last().map_or(&[][..], |run| run.phases.as_slice());
    let shown = if names.len() > 2 { names.len() - 1 } else { 0 };
    let names = names[shown..].iter();
    names.map(|phase| phase.name.clone()).collect()
}

fn line(row: &str, server: &str, name: &str, runs: &[Report], text: &mut String) -> Outcome<()> {
    // The last of that name: a chain has one for each of its workflows.
    let phase = |run: &Report| -> Option<Phase> {
        run.phases.iter().rev().find(|p| p.name == name).cloned()
    };
    let values = |figure: &dyn Fn(&Report) -> Option<f64>| -> Vec<f64> {
        runs.iter().filter_map(figure).collect()
    };
    let middle = |digits: usize, figure: &dyn Fn(&Report) -> Option<f64>| {
        let found = median(&values(figure));
        found.map_or("–".to_owned(), |middle| format!("{middle:.digits$}"))
    };
    let slow = |call: &str| middle(2, &|run| Some(run.calls.get(call)?.p99 / 1e3));
    let rates = values(&|run| Some(phase(run)?.per_second));
    let least = rates.iter().copied().fold(f64::INFINITY, f64::min);
    let most = rates.iter().copied().fold(0.0, f64::max);
    let rate = median(&rates).unwrap_or_default();
    let server_cpu = middle(1, &|run| phase(run)?.server_cpu_us_per_job);
    let client_cpu = middle(1, &|run| {
        let phase = phase(run)?;
        Some(phase.client_cpu_s * 1e6 / phase.count.max(1) as f64)
    });
    let claim = middle(2, &|run| Some(run.calls.get("claim")?.p50 / 1e3));
    let peak = middle(0, &|run| run.peak_memory_mb);
    let database = middle(0, &|run| run.database_bytes_per_job);
    let others = middle(2, &|run| Some(phase(run)?.other_cores));
    writeln!(
        text,
        "| {row} {name} | {server} | {} | {rate:.0} ({least:.0} to {most:.0}) | {server_cpu} \
         | {client_cpu} | {claim} / {} | {} | {} | {peak} | {database} | {others} |",
        runs.len(),
        slow("claim"),
        slow("start"),
        slow("complete"),
    )?;
    Ok(())
}

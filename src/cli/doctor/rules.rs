//! The rules: what is wrong with a server, by what its debug pages say.
//!
//! Each rule is a plain function from the pages to a finding. A cause that has a name of its
//! own comes before the general ones, which are asked only when no such cause was found:
//! that the writer is busy is no news beside what keeps it busy. What rests on shares of the
//! requests' time needs requests enough; what goes on at this moment does not.

#[cfg(test)]
mod cases;
mod disk;
mod general;
mod traces;
mod writer;

use super::figures::{self, ENOUGH_REQUESTS, Figures, Pages};
use super::finding::{Diagnosis, Evidence, Finding, Severity, State, Value, fact, grouped, time};

/// A cause that explains less of the requests' time is not worth a sentence.
pub const WORTH_SAYING: f64 = 0.2;
/// From here on it is the problem, and below it a warning.
pub const MOST: f64 = 0.5;
/// What goes on at this moment counts from here on, whatever the window says: long for any
/// command but a very large one, and nobody else can write meanwhile.
pub const HELD_NOW_US: f64 = 2e6;

const BLIND: &str = "nothing is recorded: the server runs with --timing off, so there is nothing \
     to judge by; start it without that flag";

type Rule = fn(&Pages, &Figures) -> Option<Finding>;

/// Causes with a name of their own.
const CAUSES: [Rule; 8] = [
    disk::lock_held_by_other_process,
    disk::slow_fsync,
    writer::long_hold,
    disk::snapshot_holds_wal,
    general::blocked_worker,
    general::table_scan,
    general::worker_storm,
    general::read_connections_exhausted,
];

/// What is left to say when none of them is found.
const GENERAL: [Rule; 3] = [
    general::cpu_saturated,
    writer::writer_busy,
    general::unaccounted,
];

/// What costs the requests no time, and is said beside whatever does.
const BESIDE: [Rule; 1] = [traces::traces_dropped];

/// Judges a server.
pub fn diagnose(pages: &Pages) -> Diagnosis {
    let figures = Figures::of(&pages.timings);
    let found = |rules: &[Rule]| -> Vec<Finding> {
        let found = rules.iter().filter_map(|rule| rule(pages, &figures));
        found.collect()
    };
    let mut findings = found(&CAUSES);
    if findings.is_empty() && figures.are_enough() {
        findings = found(&GENERAL);
    }
    findings.extend(found(&BESIDE));
    findings.sort_by(|a, b| {
        let by_share = b.share.total_cmp(&a.share);
        by_share.then(b.severity.cmp(&a.severity))
    });
    let (state, verdict) = match findings.first() {
        Some(first) => (State::Sick, first.verdict.clone()),
        None if pages.timings.is_blind() => (State::Blind, BLIND.to_owned()),
        None if !figures.are_enough() => (State::Idle, idle(&figures)),
        None => (State::Healthy, healthy(&figures)),
    };
    Diagnosis {
        state,
        verdict,
        window_s: pages.timings.window_s,
        requests: figures.requests,
        findings,
        evidence: overview(pages, &figures),
        unknown: unknown(pages),
    }
}

fn idle(figures: &Figures) -> String {
    format!(
        "idle: {} in the last {} {} too few to judge by ({ENOUGH_REQUESTS} would do), and nothing waits",
        requests(figures.requests),
        time(figures.window),
        if figures.requests == 1 { "is" } else { "are" },
    )
}

fn healthy(figures: &Figures) -> String {
    format!(
        "healthy: {} in the last {} took {} each, and the writer was at work {:.0} % of the time",
        requests(figures.requests),
        time(figures.window),
        time(figures.mean()),
        ratio(figures.held(), figures.window) * 100.0,
    )
}

fn requests(count: u64) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} request{plural}", grouped(count))
}

/// Where the requests' time went, whatever is wrong.
fn overview(pages: &Pages, figures: &Figures) -> Vec<Evidence> {
    let mut evidence = vec![
        fact("requests", Value::Count(figures.requests)),
        fact("a request, on average", Value::Micros(figures.mean())),
        fact(
            "of their time: the writer",
            Value::Share(figures.writer_part()),
        ),
        fact(
            "of their time: in its queue",
            Value::Share(figures.part(figures.queued)),
        ),
        fact(
            "of their time: in its commits",
            Value::Share(figures.part(figures.commit)),
        ),
        fact(
            "of their time: waiting for a read connection",
            Value::Share(figures.part(figures.read_wait)),
        ),
        fact(
            "the writer at work",
            Value::Share(ratio(figures.held(), figures.window).min(1.0)),
        ),
    ];
    if let Some(holder) = figures::main_holder(&pages.timings.phases) {
        let name = Value::Text(holder.operation.clone());
        evidence.push(fact("mostly with", name));
    }
    evidence
}

/// Pages that were not there.
fn unknown(pages: &Pages) -> Vec<&'static str> {
    let mut unknown = Vec::new();
    if pages.runtime.is_none() {
        unknown.push("/debug/runtime");
    }
    if pages.statements.is_none() {
        unknown.push("/debug/statements");
    }
    unknown
}

/// How bad a cause is that explains so much.
fn severity(share: f64) -> Severity {
    if share >= MOST {
        Severity::Problem
    } else {
        Severity::Warning
    }
}

/// A part of a whole; 0 of nothing.
fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

/// Sentences as they are owned by a finding.
fn advice<const N: usize>(sentences: [&str; N]) -> Vec<String> {
    sentences.map(str::to_owned).to_vec()
}

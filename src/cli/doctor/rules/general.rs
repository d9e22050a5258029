//! Rules about everything but the writer: worker threads, statements, claims, reads, CPUs.

use super::{MOST, WORTH_SAYING, advice, ratio, severity};
use crate::cli::doctor::figures::{ENOUGH_REQUESTS, Figures, Pages, task};
use crate::cli::doctor::finding::{Finding, Severity, Value, fact, over, percent, time};
use crate::wire::debug::{RouteTimes, StatementTimes};
use crate::wire::vitals::Stall;

/// A worker thread that stands still so long is blocked; a busy machine alone does not
/// keep a thread from its CPU for a second.
const STALL_US: f64 = 1e6;
/// A statement that goes through so many rows without an index lacks one.
const SCANNED_ROWS: f64 = 1_000.0;
/// A plan that scans is no harm below this time per call: small tables are scanned by right.
const SCAN_US: f64 = 1_000.0;
/// A scan that explains less is not worth a sentence.
const SCAN_SHARE: f64 = 0.1;
/// Claims that find nothing, of all claims, in a storm.
const EMPTY: f64 = 0.8;
/// Claims that find nothing, in a second. `torc run` waits for the event that says that
/// there is something; a hundred of its workers ask less than this.
const EMPTY_PER_SECOND: f64 = 20.0;
/// Waiting so long for a read connection is felt.
const READ_WAIT_US: f64 = 5_000.0;
/// Worker threads that are busy so much of the time leave no room.
const SATURATED: f64 = 0.9;
/// Requests that are faster than this on average need no explanation.
const SLOW_US: f64 = 200_000.0;

/// A task kept its worker thread, and everything else on it waited.
pub fn blocked_worker(pages: &Pages, figures: &Figures) -> Option<Finding> {
    let stalls = &pages.runtime.as_ref()?.stalls;
    let recent = stalls
        .past
        .iter()
        .filter(|stall| stall.ago_ms * 1e3 <= figures.window);
    let long: Vec<&Stall> = stalls
        .now
        .iter()
        .chain(recent)
        .filter(|stall| stall.ms * 1e3 >= STALL_US)
        .collect();
    let longest = *long.iter().max_by(|a, b| a.ms.total_cmp(&b.ms))?;
    let total: f64 = long.iter().map(|stall| stall.ms * 1e3).sum();
    let name = |stall: &Stall| {
        let name = stall.name.clone().filter(|name| !name.is_empty());
        let name = name.unwrap_or_else(|| "a task without a name".to_owned());
        match &stall.route {
            Some(route) => format!("{name}, answering {route},"),
            None => name,
        }
    };
    let share = ratio(total, figures.window).min(1.0);
    let mut evidence = vec![
        over(
            "a worker thread stood still for",
            Value::Micros(longest.ms * 1e3),
            Value::Micros(STALL_US),
        ),
        fact("the task on it", Value::Text(name(longest))),
        fact("such stalls in the window", Value::Count(long.len() as u64)),
        fact("their time", Value::Micros(total)),
    ];
    if !stalls.now.is_empty() {
        let now = Value::Count(stalls.now.len() as u64);
        evidence.push(fact("threads that stand still now", now));
    }
    Some(Finding {
        name: "blocked-worker",
        severity: Severity::Problem,
        share,
        verdict: format!(
            "{} blocked its worker thread for {}: whatever else that thread had to do waited",
            name(longest),
            time(longest.ms * 1e3)
        ),
        evidence,
        advice: advice([
            "tokio-console shows the task busy and never idle, under the name above",
            "report it: a task of the server that blocks its thread is a bug; what blocks belongs on threads of its own",
        ]),
    })
}

/// A statement goes through a table for want of an index.
pub fn table_scan(pages: &Pages, figures: &Figures) -> Option<Finding> {
    let planned = |id: &str| {
        let pages = pages.statements.as_ref()?;
        pages.statements.iter().find(|one| one.id == id)
    };
    let scans = |one: &StatementTimes| {
        let seen = one.scanned.count > 0 && one.scanned.mean >= SCANNED_ROWS;
        let by_plan = planned(&one.statement).is_some_and(|plan| plan.scans);
        seen || (by_plan && one.elapsed.mean >= SCAN_US)
    };
    let statements = pages.timings.phases.statements.iter();
    let worst = statements
        .filter(|one| scans(one))
        .max_by(|a, b| a.elapsed.total.total_cmp(&b.elapsed.total))?;
    let elapsed = &worst.elapsed;
    // Others wait behind it only if it is the writer's; only those are watched row by row.
    let share = if worst.scanned.count > 0 {
        // Of an average hold, since it is not known whose statement it was.
        let weight = ratio(elapsed.total, figures.held()) * figures.weight;
        let beside = figures.beside * ratio(elapsed.total, figures.execute_cost).min(1.0);
        figures.explained(elapsed.total + beside, weight)
    } else {
        figures.part(elapsed.total)
    };
    if share < SCAN_SHARE || !figures.are_enough() {
        return None;
    }
    let mut evidence = vec![
        fact("the statement", Value::Text(worst.statement.clone())),
        fact("its calls", Value::Count(elapsed.count)),
        fact("a call, on average", Value::Micros(elapsed.mean)),
    ];
    if worst.scanned.count > 0 {
        evidence.push(over(
            "rows it goes through each time",
            Value::Count(worst.scanned.mean.round() as u64),
            Value::Count(SCANNED_ROWS as u64),
        ));
    }
    let texts = planned(&worst.statement).map_or(&[][..], |plan| &plan.texts);
    let steps = texts.iter().flat_map(|text| &text.plan);
    for step in steps.filter(|step| step.contains("SCAN")) {
        evidence.push(fact("a step of its plan", Value::Text(step.clone())));
    }
    Some(Finding {
        name: "table-scan",
        severity: severity(share),
        share,
        verdict: format!(
            "{} of request time goes back to the statement {}, which goes through a whole table in each of its calls ({} on average): an index is missing",
            percent(share),
            worst.statement,
            time(elapsed.mean)
        ),
        evidence,
        advice: advice([
            "compare the indexes with those of a new database: `sqlite3 -readonly FILE .indexes`",
            "an index that somebody dropped comes back by its CREATE INDEX statement from migration/src; the statements find it at once, without a restart",
        ]),
    })
}

/// Workers ask and ask for jobs that are not there.
pub fn worker_storm(pages: &Pages, figures: &Figures) -> Option<Finding> {
    let phases = &pages.timings.phases;
    let empty = task(phases, "claim.empty");
    let claims = phases.operations.iter();
    let claims: u64 = claims
        .filter(|operation| operation.operation.starts_with("claim_"))
        .map(|operation| operation.count)
        .sum();
    // The two are not counted in the same instant.
    let claims = claims.max(empty.count);
    let in_vain = ratio(empty.count as f64, claims as f64);
    let rate = ratio(empty.count as f64, figures.window / 1e6);
    let of_requests = ratio(empty.count as f64, figures.requests as f64);
    let share = figures.part(empty.total);
    let few = empty.count < ENOUGH_REQUESTS || rate < EMPTY_PER_SECOND;
    if few || in_vain < EMPTY || of_requests < MOST || share < WORTH_SAYING {
        return None;
    }
    Some(Finding {
        name: "worker-storm-empty-queue",
        severity: severity(share),
        share,
        verdict: format!(
            "{} of request time goes to claims that find nothing: {} of {claims} claims came back empty, {rate:.0} in a second",
            percent(share),
            empty.count
        ),
        evidence: vec![
            over("claims in vain", Value::Share(in_vain), Value::Share(EMPTY)),
            over(
                "how often",
                Value::PerSecond(rate),
                Value::PerSecond(EMPTY_PER_SECOND),
            ),
            over(
                "of all requests",
                Value::Share(of_requests.min(1.0)),
                Value::Share(MOST),
            ),
            fact("a claim in vain, on average", Value::Micros(empty.mean)),
        ],
        advice: advice([
            "there are more workers than jobs: end some, or create what they wait for",
            "workers should wait for the event stream, as `torc run` does, instead of asking again at once",
            "see why nothing is ready: `torc status ID` (blocked jobs, labels that no worker serves)",
        ]),
    })
}

/// Reads wait for one another.
pub fn read_connections_exhausted(pages: &Pages, figures: &Figures) -> Option<Finding> {
    let share = figures.part(figures.read_wait);
    let routes = &pages.timings.phases.routes;
    let waits: u64 = routes.iter().map(|route| route.read_wait.count).sum();
    let mean = ratio(figures.read_wait, waits as f64);
    if share < WORTH_SAYING || mean < READ_WAIT_US || !figures.are_enough() {
        return None;
    }
    // Who reads, beyond waiting: the one with the most time left holds the connections.
    let reads = |route: &&RouteTimes| route.read_wait.count > 0;
    let holds = |route: &RouteTimes| route.wall.total - route.read_wait.total;
    let longest = routes
        .iter()
        .filter(reads)
        .max_by(|a, b| holds(a).total_cmp(&holds(b)))?;
    Some(Finding {
        name: "read-connections-exhausted",
        severity: severity(share),
        share,
        verdict: format!(
            "{} of request time waits for a read connection; most of their time goes to {}",
            percent(share),
            longest.route
        ),
        evidence: vec![
            over(
                "a wait, on average",
                Value::Micros(mean),
                Value::Micros(READ_WAIT_US),
            ),
            fact("waits", Value::Count(waits)),
            fact(
                format!("{}, each", longest.route),
                Value::Micros(longest.wall.mean),
            ),
            fact("how often", Value::Count(longest.wall.count)),
        ],
        advice: advice([
            "ask for shorter pages (`limit`), and for status instead of lists of jobs",
            "see what makes that request long: its statements stand in /debug/timings",
        ]),
    })
}

/// The worker threads have no time left.
pub fn cpu_saturated(pages: &Pages, figures: &Figures) -> Option<Finding> {
    let runtime = pages.runtime.as_ref()?;
    let lately = runtime.lately.iter().find(|one| one.window == "10s");
    let ratios = lately.map_or(&[][..], |one| &one.busy);
    let busy = ratio(ratios.iter().sum(), ratios.len() as f64);
    if busy < SATURATED {
        return None;
    }
    // What is left is work, and waiting for a thread to do it.
    let share = figures.part(figures.busy + figures.unaccounted());
    let cpus = runtime.process.cpus.map(|cpus| cpus.round() as u64);
    let mut evidence = vec![
        over(
            "worker threads busy, last 10 s",
            Value::Share(busy.min(1.0)),
            Value::Share(SATURATED),
        ),
        fact("worker threads", Value::Count(ratios.len() as u64)),
    ];
    evidence.extend(cpus.map(|cpus| fact("CPUs", Value::Count(cpus))));
    Some(Finding {
        name: "cpu-saturated",
        severity: severity(share),
        share,
        verdict: format!(
            "the CPUs are the limit: the worker threads are busy {} of the time, and {} of request time is their work or the wait for them",
            percent(busy.min(1.0)),
            percent(share)
        ),
        evidence,
        advice: advice([
            "see who uses the CPUs: `top`",
            "give the server CPUs of its own; workers on its machine take theirs from it",
        ]),
    })
}

/// Requests are slow, and none of the figures tells why.
pub fn unaccounted(_pages: &Pages, figures: &Figures) -> Option<Finding> {
    let share = figures.part(figures.unaccounted());
    if share < MOST || figures.mean() < SLOW_US {
        return None;
    }
    Some(Finding {
        name: "unaccounted-time",
        severity: Severity::Warning,
        share,
        verdict: format!(
            "{} of request time is neither the writer's nor a read's nor work: requests waited for a thread, or for bodies that came slowly",
            percent(share)
        ),
        evidence: vec![
            over(
                "a request, on average",
                Value::Micros(figures.mean()),
                Value::Micros(SLOW_US),
            ),
            over(
                "of their time: unaccounted",
                Value::Share(share),
                Value::Share(MOST),
            ),
        ],
        advice: advice([
            "look at the machine: `top`, `vmstat 1` (column r: who waits for a CPU)",
            "look at the worker threads: tokio-console, /debug/runtime",
            "slow clients: large bodies over a slow line count as the request's time",
        ]),
    })
}

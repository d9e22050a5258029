//! `torc timings diff`: what changed between two reports, and whether that is more than
//! noise.

use std::collections::BTreeMap;
use std::path::Path;

use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};

use super::dump;
use super::noise::{Metric, Verdict, chance, corrected, verdict};
use super::series::{self, Kind, Named, fits};
use super::{MISSING, refused};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::figures::{Grid, micros, number, seconds, time, wrapped};
use crate::cli::output::{Output, no_csv, print, print_json};
use crate::cli::screen::Size;
use crate::say::say;
use crate::wire::debug::Timings;

/// Stands for the server that runs.
const LIVE: &str = "live";

/// What to compare.
#[derive(Debug, Args)]
#[command(
    after_help = "A and B are files that SIGUSR1 made the server write (.json) or that
`torc timings --json` printed, or `live` for the server at --url.

A change counts when it is at least 2 % and --min-change, and when luck would make one
like it, anywhere in the whole comparison, less than once in a hundred times. A machine
that is busier during one of the runs is no luck: run them in turn, on a quiet one.

Exits with 5 if --fail-above is given and something got slower by more.

Example:
  torc timings diff main.json branch.json --metric p99 --fail-above 10%"
)]
pub struct DiffArgs {
    /// Report before, or `live`
    a: String,
    /// Report after, or `live`
    b: String,
    /// Window of `live`: start, reset, mark:NAME, 10s, 1m, 5m, 1h
    #[arg(long, value_name = "WINDOW")]
    window: Option<String>,
    /// Figure to compare
    #[arg(long, value_enum, default_value_t)]
    metric: Metric,
    /// Exit with 5 if a figure got worse by more than this and it is no noise
    #[arg(long, value_name = "PERCENT", allow_hyphen_values = true, value_parser = percentage)]
    fail_above: Option<f64>,
    /// Tell nothing from fewer values than this, in either report
    #[arg(long, value_name = "N", default_value_t = 100)]
    min_count: u64,
    /// Pass over changes of less than this time
    #[arg(long, value_name = "TIME", default_value = "1us", value_parser = micros)]
    min_change: f64,
    /// Only what has this in its name
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Show also what did not change
    #[arg(long)]
    all: bool,
}

fn percentage(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').unwrap_or(text).trim();
    match number.parse::<f64>() {
        Ok(percent) if (0.0..=10_000.0).contains(&percent) => Ok(percent / 100.0),
        _ => Err("it is a percentage such as 10%, from 0 to 10000".to_owned()),
    }
}

impl DiffArgs {
    /// Whether both are files.
    pub fn is_local(&self) -> bool {
        self.a != LIVE && self.b != LIVE
    }

    /// Refuses what makes no sense.
    ///
    /// # Errors
    ///
    /// [`Failure`] with the reason.
    pub fn check(&self) -> Result<(), Failure> {
        if self.a == LIVE && self.b == LIVE {
            return Err(Failure::usage("the server cannot be compared with itself")
                .hint("keep a report by `torc timings --json > before.json`"));
        }
        if self.is_local() && self.window.is_some() {
            return Err(Failure::usage(
                "--window belongs to `live`; a dump has the window it was made with",
            ));
        }
        Ok(())
    }
}

/// Compares two files.
///
/// # Errors
///
/// [`Failure`] if one is no dump, or something got worse that must not.
pub fn local(args: &DiffArgs, output: Output) -> Result<(), Failure> {
    let (a, b) = (
        dump::open(Path::new(&args.a))?,
        dump::open(Path::new(&args.b))?,
    );
    told(args, output, &a, &b)
}

/// Compares a file with the server.
///
/// # Errors
///
/// The same, or the server refuses.
pub async fn with_server(context: &Context, args: &DiffArgs) -> Result<(), Failure> {
    let window = args.window.as_deref().unwrap_or("start");
    let side = async |name: &str| {
        if name != LIVE {
            return dump::open(Path::new(name));
        }
        let report = context.client.timings(window, true).await;
        dump::read(report.map_err(|error| refused(&context.client, error, MISSING))?)
    };
    let (a, b) = (side(&args.a).await?, side(&args.b).await?);
    told(args, context.output, &a, &b)
}

/// One series in both reports.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Change {
    kind: Kind,
    name: String,
    part: &'static str,
    count_a: u64,
    count_b: u64,
    a_us: f64,
    b_us: f64,
    /// By how much B is more, as a part of A; none where A is nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<f64>,
    /// The chance that luck makes such a difference, corrected for the many comparisons.
    #[serde(skip_serializing_if = "Option::is_none")]
    chance: Option<f64>,
    #[serde(serialize_with = "word")]
    verdict: Verdict,
    /// In total, over all values of B.
    #[serde(skip)]
    weight: f64,
}

fn word<S: serde::Serializer>(verdict: &Verdict, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match verdict {
        Verdict::Slower => "slower",
        Verdict::Faster => "faster",
        Verdict::Noise => "within noise",
        Verdict::Few => "too few",
    })
}

/// What two reports have in common, and what only one of them has.
struct Comparison {
    changes: Vec<Change>,
    only_a: Vec<String>,
    only_b: Vec<String>,
}

type Names<'t> = BTreeMap<(Kind, &'t str, &'static str), Named<'t>>;

fn compared(args: &DiffArgs, a: &Timings, b: &Timings) -> Comparison {
    // What runs in the background runs by the clock: its times tell of nothing asked for.
    // Functions have no windows: outside of `start` they would tell of other times.
    let functions = whole(a) && whole(b);
    let of = |report| -> Names<'_> {
        series::all(report)
            .into_iter()
            .filter(|one| one.kind != Kind::Tasks && one.times.count > 0)
            .filter(|one| one.kind != Kind::Functions || functions)
            .filter(|one| fits(one.name, args.filter.as_deref()))
            .map(|one| ((one.kind, one.name, one.part), one))
            .collect()
    };
    let (in_a, in_b) = (of(a), of(b));
    let batches = (a.phases.batch_size.mean, b.phases.batch_size.mean);
    let mut changes = Vec::new();
    let mut chances = Vec::new();
    for (key, one) in &in_a {
        let Some(other) = in_b.get(key) else { continue };
        let (before, after) = (one.times, other.times);
        let enough = before.count.min(after.count) >= args.min_count;
        // Commands of one batch wait together, and so do the requests that they are for.
        let together = match one.kind {
            Kind::Operations | Kind::Routes => batches,
            _ => (1.0, 1.0),
        };
        let found = enough.then(|| chance(before, after, args.metric, together));
        chances.push(found.flatten());
        let (a_us, b_us) = (args.metric.of(before), args.metric.of(after));
        changes.push(Change {
            kind: one.kind,
            name: one.name.to_owned(),
            part: one.part,
            count_a: before.count,
            count_b: after.count,
            a_us,
            b_us,
            change: (a_us > 0.0).then(|| b_us / a_us - 1.0),
            chance: None,
            verdict: Verdict::Few,
            weight: (b_us - a_us).abs() * after.count as f64,
        });
    }
    for (change, chance) in changes.iter_mut().zip(corrected(&chances)) {
        change.chance = chance;
        change.verdict = verdict((change.a_us, change.b_us), args.min_change, chance);
    }
    changes.sort_by(|x, y| (x.verdict.cmp(&y.verdict)).then(y.weight.total_cmp(&x.weight)));
    let only = |these: &Names<'_>, those: &Names<'_>| {
        let missing = these
            .iter()
            .filter(|(key, one)| one.part.is_empty() && !those.contains_key(*key));
        missing
            .map(|((kind, name, _), _)| format!("{} {name}", kind.noun()))
            .collect()
    };
    Comparison {
        only_a: only(&in_a, &in_b),
        only_b: only(&in_b, &in_a),
        changes,
    }
}

/// Whether a report is of all time, as its functions are in any window.
fn whole(report: &Timings) -> bool {
    matches!(report.window.as_str(), "start" | "")
}

fn told(args: &DiffArgs, output: Output, a: &Timings, b: &Timings) -> Result<(), Failure> {
    for (name, report) in [(&args.a, a), (&args.b, b)] {
        let bare = series::all(report)
            .iter()
            .any(|one| one.times.count > 0 && one.times.buckets.is_none());
        if bare {
            return Err(Failure::new(format!(
                "{name} has no buckets, without which change and noise cannot be told apart"
            ))
            .hint("make it by `torc timings --json`, SIGUSR1, or ?format=json&buckets=true"));
        }
    }
    let comparison = compared(args, a, b);
    let worse: Vec<&Change> = comparison
        .changes
        .iter()
        .filter(|one| one.verdict == Verdict::Slower)
        .filter(|one| {
            args.fail_above
                .is_some_and(|most| one.change.is_none_or(|by| by > most))
        })
        .collect();
    let warnings = differences(a, b);
    for warning in &warnings {
        say(format_args!("warning: {warning}"));
    }
    if output.is_json() {
        print_json(&json!({
            "a": side(&args.a, a),
            "b": side(&args.b, b),
            "metric": args.metric.name(),
            "warnings": warnings,
            "items": comparison.changes,
            "only_in_a": comparison.only_a,
            "only_in_b": comparison.only_b,
            "worse": worse.len(),
        }))?;
    } else if output.is_csv() {
        return Err(no_csv());
    } else {
        print(&text(args, output.colors, &comparison, (a, b)))?;
    }
    match (worse.len(), args.fail_above) {
        (0, _) | (_, None) => Ok(()),
        (count, Some(most)) => {
            let figures = crate::cli::output::count(count, "figure");
            Err(Failure::worse(format!(
                "{figures} got worse by more than {} % ({})",
                most * 100.0,
                args.metric.name()
            )))
        }
    }
}

fn side(name: &str, report: &Timings) -> Value {
    json!({
        "name": name,
        "generated_at": report.generated_at,
        "window": report.window,
        "window_s": report.window_s,
    })
}

/// What makes two reports hard to compare.
fn differences(a: &Timings, b: &Timings) -> Vec<String> {
    // How the keys begin that say what the figures depend on.
    const MATTERS: [&str; 7] = [
        "version", "git", "build", "cpu", "kernel", "database", "sqlite",
    ];
    let mut found = Vec::new();
    for (key, before) in &a.about {
        let matters = MATTERS.iter().any(|part| key.starts_with(part));
        if let Some(after) = b.about.get(key)
            && matters
            && before != after
        {
            let plain =
                |value: &Value| value.as_str().map_or_else(|| value.to_string(), Into::into);
            let (before, after): (String, String) = (plain(before), plain(after));
            found.push(format!("{key} differs: {before} and {after}"));
        }
    }
    found
}

fn text(
    args: &DiffArgs,
    colors: bool,
    comparison: &Comparison,
    of: (&Timings, &Timings),
) -> String {
    let mut text = String::new();
    for (letter, name, report) in [("A", &args.a, of.0), ("B", &args.b, of.1)] {
        text += &format!(
            "{letter}: {name}, {} over {}, of {}\n",
            report.window,
            seconds(report.window_s),
            report.generated_at
        );
    }
    let columns = Size::of_output().columns;
    let with = |verdict| {
        comparison
            .changes
            .iter()
            .filter(move |one| one.verdict == verdict)
    };
    for (verdict, title) in [
        (Verdict::Slower, "Slower in B"),
        (Verdict::Faster, "Faster in B"),
        (Verdict::Noise, "Within noise"),
        (Verdict::Few, "Too few values to tell"),
    ] {
        let shown = args.all || matches!(verdict, Verdict::Slower | Verdict::Faster);
        if with(verdict).next().is_none() || !shown {
            continue;
        }
        let head = args.metric.name();
        let mut grid = Grid::new(&["what", "A", "B", "change", "sure", "count A", "count B"]);
        for one in with(verdict) {
            grid.row(row(one));
        }
        text += &format!("\n{title} ({head})\n{}", grid.text(columns, colors));
    }
    let many = |verdict| with(verdict).count();
    let (slower, faster) = (many(Verdict::Slower), many(Verdict::Faster));
    let changed = if slower + faster == 0 {
        "Nothing changed".to_owned()
    } else {
        format!("{slower} slower, {faster} faster")
    };
    let sum = format!(
        "{changed} by {}; {} within noise, {} too few (less than {} values, or than the figure needs)",
        args.metric.name(),
        many(Verdict::Noise),
        many(Verdict::Few),
        args.min_count
    );
    text += &format!("\n{}\n", wrapped(&sum, columns));
    if !(whole(of.0) && whole(of.1)) {
        text += "Functions are always since the start: compared in that window only\n";
    }
    for (letter, names) in [("A", &comparison.only_a), ("B", &comparison.only_b)] {
        if !names.is_empty() {
            let names = format!("Only in {letter}: {}", listed(names));
            text += &format!("{}\n", wrapped(&names, columns));
        }
    }
    text
}

/// The first names of many.
fn listed(names: &[String]) -> String {
    const FIRST: usize = 5;
    let first = names[..names.len().min(FIRST)].join(", ");
    match names.len().saturating_sub(FIRST) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

fn row(one: &Change) -> Vec<String> {
    let name = match one.part {
        "" => format!("{} {}", one.kind.noun(), one.name),
        part => format!("{} {}, {part}", one.kind.noun(), one.name),
    };
    let change = one
        .change
        .map_or_else(|| "new".to_owned(), |by| format!("{:+.1}%", by * 100.0));
    vec![
        name,
        time(one.a_us),
        time(one.b_us),
        change,
        sure(one.chance),
        number(one.count_a),
        number(one.count_b),
    ]
}

/// How sure a change is; rounded down, so that it never says more than it knows.
fn sure(chance: Option<f64>) -> String {
    match chance {
        None => "-".to_owned(),
        Some(chance) if chance < 1e-4 => ">99.99%".to_owned(),
        Some(chance) => format!("{:.2}%", ((1.0 - chance) * 1e4).floor() / 100.0),
    }
}

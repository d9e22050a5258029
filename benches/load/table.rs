//! The table of many runs: medians, ratios, and what the targets ask for.
//!
//! Runs are read from files of `--json` lines. Those of one row and one server are
//! repetitions; where two servers ran in turn, the n-th of one is compared with the
//! n-th of the other, so that a machine that grows busy harms both alike.

mod details;
mod targets;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use self::targets::{Better, Key, TARGETS, Target, Unit};
use super::Outcome;
use super::args::Table;
use super::report::Report;

/// Runs by row and server, in the order in which they were made.
type Runs = BTreeMap<(String, String), Vec<Report>>;

/// Two-sided 95 % points of Student's distribution for 1 degree of freedom and more.
const T_95: [f64; 15] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
    2.145, 2.131,
];

/// A figure over all repetitions.
struct Result {
    middle: f64,
    /// The 95 % confidence interval of the mean, where it can be told.
    interval: Option<(f64, f64)>,
}

/// Prints the table of the runs in these files.
pub fn print(args: &Table) -> Outcome<()> {
    let runs = read(args)?;
    let mut text = String::from(
        "| what | against | ours | result | ours at `power` | must | goal | |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    for target in &TARGETS {
        if let Some(line) = line(&runs, target) {
            text.push_str(&line);
        }
    }
    text.push('\n');
    details::write(&runs, &mut text)?;
    print!("{text}");
    Ok(())
}

fn read(args: &Table) -> Outcome<Runs> {
    let mut runs = Runs::new();
    for file in &args.files {
        let text = std::fs::read_to_string(file)
            .map_err(|error| format!("cannot read {}: {error}", file.display()))?;
        for (nth, line) in text.lines().enumerate() {
            let report: Report = serde_json::from_str(line)
                .map_err(|error| format!("{}:{}: {error}", file.display(), nth + 1))?;
            let key = (report.row.clone(), report.server.clone());
            runs.entry(key).or_default().push(report);
        }
    }
    Ok(runs)
}

/// The line of a target, if it was run.
fn line(runs: &Runs, target: &Target) -> Option<String> {
    let ours = values(runs, &target.of);
    let against = target.against.as_ref().map(|key| values(runs, key));
    let result = result(target, &ours, against.as_deref());
    if ours.is_empty() {
        return None;
    }
    let mut text = format!("| {} ", target.title);
    let unit = target.of.figure.unit();
    let or_dash = |values: &[f64]| median(values).map_or("–".to_owned(), |v| unit.show(v));
    let reference = against.as_deref().map_or("–".to_owned(), or_dash);
    let _ = write!(text, "| {reference} | {} ", or_dash(&ours));
    let shown = result.as_ref().map_or("–".to_owned(), |result| {
        let interval = result.interval.filter(|_| target.unit == Unit::PercentMore);
        let interval = interval.map_or(String::new(), |(low, high)| {
            format!(" ({low:+.1} to {high:+.1})")
        });
        format!("**{}**{interval}", target.unit.show(result.middle))
    });
    let _ = write!(text, "| {shown} | {} ", at_power(runs, target));
    let (must, goal) = (target.unit.show(target.must), target.unit.show(target.goal));
    let verdict = result.map_or("", |result| verdict(target, result.middle));
    let _ = writeln!(text, "| {must} | {goal} | {verdict} |");
    Some(text)
}

/// The same figure of our server at `power`, with its ratio, where that was run as well.
fn at_power(runs: &Runs, target: &Target) -> String {
    if target.of.server != "process" {
        return "–".to_owned();
    }
    let of = Key {
        server: "power",
        ..target.of
    };
    let power = values(runs, &of);
    let Some(middle) = median(&power) else {
        return "–".to_owned();
    };
    let shown = target.of.figure.unit().show(middle);
    // A row that compares ours with ours stays within one durability.
    let against = target.against.as_ref().map(|key| match key.server {
        "process" => values(
            runs,
            &Key {
                server: "power",
                ..*key
            },
        ),
        _ => values(runs, key),
    });
    match (against, target.unit) {
        (Some(against), unit) => match result(target, &power, Some(&against)) {
            Some(result) => format!("{shown}: {}", unit.show(result.middle)),
            None => shown,
        },
        (None, _) => shown,
    }
}

fn verdict(target: &Target, value: f64) -> &'static str {
    let reaches = |bound: f64| match target.better {
        Better::Higher => value >= bound,
        Better::Lower => value <= bound,
    };
    if reaches(target.goal) {
        "goal"
    } else if reaches(target.must) {
        "must"
    } else {
        "**missed**"
    }
}

/// The figure of every run of a row on a server.
fn values(runs: &Runs, key: &Key) -> Vec<f64> {
    let found = runs.get(&(key.row.to_owned(), key.server.to_owned()));
    let found = found.map_or(&[][..], Vec::as_slice);
    found.iter().filter_map(|run| key.figure.of(run)).collect()
}

/// What a target speaks of: a figure as it is, or its relation to another.
fn result(target: &Target, ours: &[f64], against: Option<&[f64]>) -> Option<Result> {
    let relate = |ours: f64, theirs: f64| match target.unit {
        Unit::PercentMore => (ours / theirs - 1.0) * 100.0,
        Unit::MbMore => ours - theirs,
        Unit::PercentLost => (1.0 - ours / theirs) * 100.0,
        Unit::PercentKept => ours / theirs * 100.0,
        // A ratio says how many times better, whichever way better is.
        Unit::Times if target.better == Better::Higher && target.of.figure.is_time() => {
            theirs / ours
        }
        _ => ours / theirs,
    };
    let results: Vec<f64> = match against {
        None => ours.to_vec(),
        Some(theirs) if theirs.len() == ours.len() => {
            let pairs = ours.iter().zip(theirs);
            pairs.map(|(ours, theirs)| relate(*ours, *theirs)).collect()
        }
        Some(theirs) => vec![relate(median(ours)?, median(theirs)?)],
    };
    // A difference of some percent is told with its interval, which is the mean's.
    let middle = match target.unit {
        Unit::PercentMore => results.iter().sum::<f64>() / results.len() as f64,
        _ => median(&results)?,
    };
    Some(Result {
        middle,
        interval: interval(&results),
    })
}

fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    let lower = *sorted.get((sorted.len() - 1) / 2)?;
    Some((lower + upper) / 2.0)
}

fn interval(values: &[f64]) -> Option<(f64, f64)> {
    let count = values.len();
    let t = *T_95.get(count.checked_sub(2)?)?;
    let mean = values.iter().sum::<f64>() / count as f64;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let half = t * (squares / (count - 1) as f64 / count as f64).sqrt();
    Some((mean - half, mean + half))
}

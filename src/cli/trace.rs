//! `torc trace`: where the time of single requests went, drawn in the terminal or saved for
//! Perfetto.

mod save;
mod waterfall;

use chrono::DateTime;
use clap::Args;
use serde_json::json;

use super::context::Context;
use super::debug_pages::refused;
use super::failure::Failure;
use super::figures::{micros, seconds};
use super::output::{no_csv, print, print_json};
use super::screen::Size;
use crate::clock;
use crate::wire::debug::Request;

/// What a server without these pages lacks.
const MISSING: &str = "this server keeps no requests";
/// How far back the slowest request is looked for, in seconds: a server keeps no more.
const BACK: u32 = 30;
/// How long a trace for Perfetto is, in seconds.
const RECORDED: u32 = 5;
/// Requests that are asked for, from which the slowest are taken.
const ASKED: usize = 1000;

/// What to trace.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  torc trace                            the slowest request of the last 30 seconds
  torc trace --request 1234             that one
  torc trace --slow 100ms               all that are known to have taken so long
  torc trace --perfetto trace.json      record 5 seconds; open it in ui.perfetto.dev")]
pub struct TraceArgs {
    /// How far back to look (30 when absent, as much as a server keeps), or how long to record (5)
    #[arg(
        long,
        value_name = "N",
        allow_negative_numbers = true,
        value_parser = clap::value_parser!(u32).range(1..=3600)
    )]
    seconds: Option<u32>,
    /// Draw the request of this number, as tables and the log name it
    #[arg(long, value_name = "ID", conflicts_with_all = ["seconds", "slow", "route"])]
    request: Option<u64>,
    /// Draw every request that took at least so long: 100ms, 1.5s, 500us
    #[arg(long, value_name = "TIME", value_parser = micros)]
    slow: Option<f64>,
    /// Only requests of this route, such as 'GET /workflows/{id}'
    #[arg(long, value_name = "ROUTE")]
    route: Option<String>,
    /// Requests to draw at most
    #[arg(
        long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..)
    )]
    limit: u32,
    /// Record what the server does, and save it to this file; - is standard output
    #[arg(long, value_name = "FILE", conflicts_with_all = ["request", "slow", "route"])]
    perfetto: Option<String>,
    /// Save what the server still remembers in place of recording
    #[arg(long, requires = "perfetto", conflicts_with = "seconds")]
    recent: bool,
}

/// Does what was asked for.
///
/// # Errors
///
/// [`Failure`] if the server refuses, knows no such request, or the file cannot be written.
pub async fn run(context: &Context, args: TraceArgs) -> Result<(), Failure> {
    if let Some(file) = &args.perfetto {
        let seconds = (!args.recent).then(|| args.seconds.unwrap_or(RECORDED));
        return save::run(context, file, seconds).await;
    }
    if context.output.is_csv() {
        return Err(no_csv());
    }
    let refused = |error| refused(&context.client, error, MISSING);
    if let Some(id) = args.request {
        let asked = context.client.request(id).await;
        let request = asked.map_err(|error| {
            let unknown = error.status() == Some(404);
            let failure = refused(error);
            match unknown && !failure.has_hint() {
                true => failure.hint("a server keeps the last and the slowest requests only"),
                false => failure,
            }
        })?;
        return show(context, &[request], false);
    }
    let answer = context.client.requests(&query(&args)).await;
    let chosen = chosen(answer.map_err(refused)?.requests, &args);
    if chosen.is_empty() && !context.output.is_json() {
        return print(&nothing(&args));
    }
    show(context, &chosen, true)
}

fn query(args: &TraceArgs) -> Vec<(&'static str, String)> {
    // Of the newest alone, a slow one would be lost behind a thousand quick ones.
    let mut query = vec![("sort", "slowest".to_owned()), ("limit", ASKED.to_string())];
    if let Some(route) = &args.route {
        query.push(("route", route.clone()));
    }
    if let Some(slow) = args.slow {
        query.push(("slow", format!("{slow}us")));
    }
    query
}

/// The slowest of those that are meant: one, or with a bound all above it.
fn chosen(mut requests: Vec<Request>, args: &TraceArgs) -> Vec<Request> {
    let back = f64::from(args.seconds.unwrap_or(BACK));
    requests.retain(|one| match (args.slow, args.seconds) {
        // What was slow is worth seeing however long ago it was, unless a time is named.
        (Some(slow), None) => one.wall_us >= slow,
        (Some(slow), Some(_)) => one.wall_us >= slow && is_since(one, back),
        (None, _) => is_since(one, back),
    });
    requests.sort_by(|a, b| b.wall_us.total_cmp(&a.wall_us));
    requests.truncate(if args.slow.is_some() {
        args.limit as usize
    } else {
        1
    });
    requests
}

/// How long ago a request came, in seconds; none if its time is not told.
fn age(request: &Request) -> Option<f64> {
    let began = DateTime::parse_from_rfc3339(&request.time).ok()?;
    let age = clock::now().signed_duration_since(began);
    Some(age.as_seconds_f64().max(0.0))
}

fn is_since(request: &Request, back: f64) -> bool {
    age(request).is_none_or(|age| age <= back)
}

/// When a request came, for people.
pub fn began(request: &Request) -> String {
    age(request).map_or_else(
        || "some time ago".to_owned(),
        |age| format!("{} ago", seconds(age)),
    )
}

fn nothing(args: &TraceArgs) -> String {
    match (args.slow, args.seconds) {
        (Some(_), None) => "No request that is known took so long\n".to_owned(),
        (_, seconds) => format!(
            "No such request in the last {} seconds\n",
            seconds.unwrap_or(BACK)
        ),
    }
}

fn show(context: &Context, requests: &[Request], list: bool) -> Result<(), Failure> {
    if context.output.is_json() {
        return match requests {
            [one] if !list => print_json(one),
            all => print_json(&json!({"items": all})),
        };
    }
    let columns = Size::of_output().columns.unwrap_or(100);
    let drawn: Vec<String> = requests
        .iter()
        .map(|request| waterfall::drawn(request, columns, context.output.colors))
        .collect();
    print(&drawn.join("\n"))
}

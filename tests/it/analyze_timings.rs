//! `scripts/analyze_timings.sh` agrees with an independent calculation.

#![expect(clippy::expect_used, reason = "a test may fail in a word")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/analyze_timings.sh");

/// Busy and idle of one call, in whole nanoseconds.
#[derive(Clone, Copy)]
struct Call {
    busy: u64,
    idle: u64,
}

fn run(args: &[&str], stdin: &[u8]) -> Output {
    let mut child = Command::new("sh")
        .arg(SCRIPT)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("sh runs");
    let mut pipe = child.stdin.take().expect("piped");
    // The script does not read its input when a flag is wrong.
    let _ = pipe.write_all(stdin);
    drop(pipe);
    child.wait_with_output().expect("the script ends")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", stderr(output));
    serde_json::from_slice(&output.stdout).expect("valid JSON")
}

/// Writes a duration in one of the units that fit it exactly, and reads back what a
/// reader of that text must understand.
fn written(random: &mut fastrand::Rng, nanos: u64) -> (String, u64) {
    match random.u8(0..7) {
        0 => (format!("{nanos}ns"), nanos),
        1 => (format!("{}.{:03}µs", nanos / 1000, nanos % 1000), nanos),
        2 => (format!("{}.{:03}us", nanos / 1000, nanos % 1000), nanos),
        3 => (
            format!("{}.{:03}\u{3bc}s", nanos / 1000, nanos % 1000),
            nanos,
        ),
        4 => (
            format!("{}.{:09}s", nanos / 1_000_000_000, nanos % 1_000_000_000),
            nanos,
        ),
        5 => (
            format!("{}ms", nanos / 1_000_000),
            nanos / 1_000_000 * 1_000_000,
        ),
        _ => (
            format!("{}.{:06}ms", nanos / 1_000_000, nanos % 1_000_000),
            nanos,
        ),
    }
}

/// One log line in one of the shapes that a log may have.
fn line(random: &mut fastrand::Rng, name: &str, busy: &str, idle: &str) -> String {
    let time = "2026-11-24T14:00:00.123456Z";
    let n = random.u32(..);
    match random.u8(0..6) {
        0 => format!(
            "{time} DEBUG {name}{{workflow_id={n} limit=10}}: close time.busy={busy} time.idle={idle}"
        ),
        1 => format!("DEBUG {name}: close time.busy={busy} time.idle={idle}\r"),
        2 => format!(
            "{time}  INFO ThreadId(03) get_job{{id={n}}}:{name}{{text=\"a: }} {{ \\\" INFO x: \"}}: torc_server::engine: 45: close time.busy={busy} time.idle={idle}"
        ),
        3 => format!(
            "\x1b[2m{time}\x1b[0m \x1b[34mDEBUG\x1b[0m \x1b[1m{name}\x1b[0m\x1b[1m{{\x1b[0m\x1b[3mlimit\x1b[0m\x1b[2m=\x1b[0m{n}\x1b[1m}}\x1b[0m\x1b[2m:\x1b[0m close \x1b[3mtime.busy\x1b[0m\x1b[2m=\x1b[0m{busy} \x1b[3mtime.idle\x1b[0m\x1b[2m=\x1b[0m{idle}"
        ),
        4 => serde_json::json!({
            "timestamp": time, "level": "DEBUG", "message": "close", "time.busy": busy,
            "time.idle": idle, "target": "torc_server::engine",
            "span": { "limit": n, "text": "a \"name\": \"no\" } close", "name": name },
        })
        .to_string(),
        // A JSON writer may escape what is beyond ASCII.
        _ => format!(
            r#"{{"timestamp":"{time}","level":"DEBUG","message":"close","time.busy":"{busy}","time.idle":"{idle}","target":"x","span":{{"name":"{name}"}}}}"#
        )
        .replace('\u{b5}', r"\u00b5")
        .replace('\u{3bc}', r"\u03BC"),
    }
}

/// Nearest-rank statistics in milliseconds, computed on whole nanoseconds.
fn expected(mut values: Vec<u64>) -> [f64; 7] {
    values.sort_unstable();
    let n = values.len();
    let sum: u128 = values.iter().map(|&v| u128::from(v)).sum();
    let mean = sum as f64 / n as f64;
    let variance = values
        .iter()
        .map(|&v| (v as f64 - mean).powi(2))
        .sum::<f64>()
        / n as f64;
    let rank = |percent: usize| values[(n * percent).div_ceil(100).max(1) - 1] as f64;
    [
        mean,
        variance.sqrt(),
        values[0] as f64,
        rank(50),
        rank(90),
        rank(99),
        values[n - 1] as f64,
    ]
    .map(|nanos| nanos / 1e6)
}

fn check(function: &Value, calls: &[Call]) {
    assert_eq!(function["count"], calls.len());
    for (kind, values) in [
        ("busy", calls.iter().map(|call| call.busy).collect()),
        ("idle", calls.iter().map(|call| call.idle).collect()),
        (
            "wall",
            calls.iter().map(|call| call.busy + call.idle).collect(),
        ),
    ] {
        let expected = expected(values);
        for (at, key) in ["mean", "stddev", "min", "p50", "p90", "p99", "max"]
            .into_iter()
            .enumerate()
        {
            let found = function[kind][key].as_f64().expect("a number");
            let tolerance = 2e-6 + expected[at].abs() * 1e-9;
            assert!(
                (found - expected[at]).abs() <= tolerance,
                "{} {kind} {key}: {found} is not {}",
                function["function"],
                expected[at]
            );
        }
    }
}

/// Random calls of some functions, in all shapes and units, as one log.
fn random_log(
    random: &mut fastrand::Rng,
    lines: usize,
) -> (String, BTreeMap<&'static str, Vec<Call>>) {
    let names = ["claim_next_jobs", "complete_job", "prepare_ready_jobs", "a"];
    let mut log = String::new();
    let mut calls = BTreeMap::<_, Vec<Call>>::new();
    for _ in 0..lines {
        let name = names[random.usize(..names.len())];
        let magnitude = random.u32(0..10);
        let nanos = random.u64(0..10u64.pow(magnitude) + 1);
        let (busy_text, busy) = written(random, nanos);
        let nanos = random.u64(0..100_000_000);
        let (idle_text, idle) = written(random, nanos);
        let line = line(random, name, &busy_text, &idle_text);
        let _ = writeln!(log, "{line}");
        if random.u8(0..4) == 0 {
            log.push_str(
                "2026-11-24T14:00:00Z  INFO torc_server: 4: a log that is close to time.busy\n",
            );
        }
        calls.entry(name).or_default().push(Call { busy, idle });
    }
    (log, calls)
}

fn compare(found: &Value, calls: &BTreeMap<&'static str, Vec<Call>>) {
    let functions = found["functions"].as_array().expect("a list");
    assert_eq!(functions.len(), calls.len());
    for function in functions {
        check(
            function,
            &calls[function["function"].as_str().expect("a name")],
        );
    }
    let totals: Vec<_> = functions
        .iter()
        .map(|f| f["total_wall"].as_f64().expect("a number"))
        .collect();
    assert!(totals.is_sorted_by(|a, b| a >= b), "{totals:?}");
}

/// Every unit, text with and without colours, JSON; sizes where ranks round differently.
#[test]
fn agrees_with_an_independent_calculation() {
    for lines in [1, 2, 3, 10, 99, 100, 101, 2000] {
        let mut random = fastrand::Rng::with_seed(lines as u64);
        let (log, calls) = random_log(&mut random, lines);
        let output = run(&["--json"], log.as_bytes());
        compare(&json(&output), &calls);
        assert_eq!(stderr(&output), "");
    }
}

/// A rotated log in pieces, one of them gzipped, one on standard input.
#[test]
fn reads_rotated_files_and_standard_input_together() {
    let dir = tempfile::tempdir().expect("a directory");
    let (log, calls) = random_log(&mut fastrand::Rng::with_seed(7), 300);
    let lines: Vec<_> = log.lines().collect();
    let put = |name: &str, lines: &[&str]| {
        let path = dir.path().join(name);
        // No line end after the last line, as in a log that is being written.
        std::fs::write(&path, lines.join("\n")).expect("written");
        path.to_str().expect("text").to_owned()
    };
    let oldest = put("torc-server.2026-11-23.log", &lines[..100]);
    let live = put("torc-server.log", &lines[100..200]);
    let gzip = Command::new("gzip").arg(&oldest).status().expect("gzip");
    assert!(gzip.success());

    let zipped = format!("{oldest}.gz");
    assert!(Path::new(&zipped).exists());
    let rest = lines[200..].join("\n");
    let output = run(&["--json", &zipped, &live, "-"], rest.as_bytes());
    compare(&json(&output), &calls);
}

#[test]
fn shows_the_top_or_one_function_in_a_table() {
    let (log, calls) = random_log(&mut fastrand::Rng::with_seed(3), 200);
    let all = json(&run(&["--json"], log.as_bytes()));
    let table = run(&["--top", "2"], log.as_bytes());
    let text = String::from_utf8(table.stdout).expect("text");
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 1 + 2 * 3, "{text}");
    for (at, line) in [(0, lines[1]), (1, lines[4])] {
        let name = all["functions"][at]["function"].as_str().expect("a name");
        assert!(line.starts_with(name), "{text}");
    }
    // Aligned: everything is ASCII, and every line as long as the head.
    assert!(
        lines.iter().all(|line| line.len() == lines[0].len()),
        "{text}"
    );

    let one = json(&run(
        &["--json", "--function", "complete_job"],
        log.as_bytes(),
    ));
    assert_eq!(one["functions"].as_array().map(Vec::len), Some(1));
    check(&one["functions"][0], &calls["complete_job"]);
}

#[test]
fn says_what_it_could_not_read() {
    let log = "DEBUG a: close time.busy=1.5ms time.idle=2ms\n\
               DEBUG b: close time.busy=1.5parsecs time.idle=2ms\n\
               DEBUG c: close time.busy=1.5ms\n\
               DEBUG d: something else time.busy=1.5ms time.idle=2ms\n";
    let output = run(&["--json"], log.as_bytes());
    assert_eq!(json(&output)["functions"][0]["count"], 1);
    assert!(
        stderr(&output).contains("could not be read: 2"),
        "{}",
        stderr(&output)
    );
}

/// A field may hold what looks like the end of a close line.
#[test]
fn fields_do_not_confuse_the_span() {
    let log = "DEBUG a{text=\"b: close time.busy=9s time.idle=9s\"}: close time.busy=1ms time.idle=2ms\n\
               DEBUG a{text=b: close time.busy=9s}: close time.busy=3ms time.idle=4ms\n";
    let report = json(&run(&["--json"], log.as_bytes()));
    assert_eq!(report["functions"].as_array().map(Vec::len), Some(1));
    let calls = [(1, 2), (3, 4)].map(|(busy, idle)| Call {
        busy: busy * 1_000_000,
        idle: idle * 1_000_000,
    });
    assert_eq!(report["functions"][0]["function"], "a");
    check(&report["functions"][0], &calls);
}

/// A rotated file that was cut off does not hide what the others hold.
#[test]
fn a_truncated_file_does_not_discard_the_others() {
    let dir = tempfile::tempdir().expect("a directory");
    let (log, calls) = random_log(&mut fastrand::Rng::with_seed(11), 300);
    let cut = dir.path().join("torc-server.2026-11-23.log");
    std::fs::write(&cut, "DEBUG cut: close time.busy=1ms time.idle=1ms\n").expect("written");
    let gzip = Command::new("gzip").arg(&cut).status().expect("gzip");
    assert!(gzip.success());
    let cut = cut.with_extension("log.gz");
    let whole = std::fs::read(&cut).expect("readable");
    std::fs::write(&cut, &whole[..whole.len() - 9]).expect("written");

    let output = run(
        &["--json", cut.to_str().expect("text"), "-"],
        log.as_bytes(),
    );
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("could not read"),
        "{}",
        stderr(&output)
    );
    let mut report: Value = serde_json::from_slice(&output.stdout).expect("valid JSON");
    let functions = report["functions"].as_array_mut().expect("a list");
    // Whether the cut file gives its line depends on gzip.
    functions.retain(|function| function["function"] != "cut");
    compare(&report, &calls);
}

#[test]
fn exit_status_and_advice() {
    let dir = tempfile::tempdir().expect("a directory");
    let broken = dir.path().join("broken.gz");
    std::fs::write(&broken, "not gzip").expect("written");
    let broken = broken.to_str().expect("text");
    let good = b"DEBUG a: close time.busy=1.5ms time.idle=2ms\n";
    let cases: &[(&[&str], i32, &str)] = &[
        (&["--help"], 0, ""),
        (&[], 0, ""),
        (&["--function", "b"], 1, "no timings of b"),
        (&["/dev/null"], 1, "TORC_TIMING_ENABLED=1"),
        (&["no-such-file.log"], 1, "no such file"),
        (&[dir.path().to_str().expect("text")], 1, "is a directory"),
        (&[broken], 1, "could not read"),
        (&["--frobnicate"], 2, "unknown option"),
        (&["--top", "many"], 2, "needs a number"),
        (&["--function"], 2, "needs the name"),
    ];
    for (args, status, advice) in cases {
        let output = run(args, good);
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(*status), "{args:?}: {text}");
        assert!(text.contains(advice), "{args:?}: {text}");
    }
}

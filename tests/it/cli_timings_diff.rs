//! `torc timings diff`: dumps of the same load, of a slowed one, and of nothing.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::process::{Answer, HANG};
use crate::support::user::{User, wait_until};

/// Creates workflows one after the other; with a connection of another process, so to say,
/// that keeps the database's lock for the first milliseconds of each.
fn load(user: &User, count: usize, locks: Option<&rusqlite::Connection>) {
    let server = user.server.as_ref().unwrap();
    let api = server.api();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        for _ in 0..count {
            if let Some(conn) = locks {
                conn.execute_batch("BEGIN IMMEDIATE").unwrap();
            }
            let unlock = async {
                if let Some(conn) = locks {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    conn.execute_batch("COMMIT").unwrap();
                }
            };
            tokio::join!(api.workflow(), unlock);
        }
    });
}

/// What the server measured since the last time, as a file.
fn dump(user: &User, name: &str) -> String {
    let text = user.good(&["timings", "--json", "--window", "reset"]);
    user.good(&["timings", "reset"]);
    user.write(name, &text)
}

/// Two dumps of an idle server, one by signal and one by command, hold the same load.
#[test]
fn the_same_load_is_within_noise() {
    let user = User::with_server_of(&["-d", "x.db"]);
    load(&user, 150, None);
    let server = user.server.as_ref().unwrap();
    server.signal("USR1");
    let written = || {
        let mut entries = std::fs::read_dir(user.path()).unwrap();
        entries.find_map(|entry| {
            let name = entry.unwrap().file_name().into_string().unwrap();
            (name.starts_with("torc-timings-") && name.ends_with(".json")).then_some(name)
        })
    };
    wait_until("a dump", || written().is_some());
    let dump = written().unwrap();
    for metric in ["p50", "p99", "mean"] {
        let arguments = ["timings", "diff", &dump, "live", "--fail-above", "0%"];
        let told = user.good(
            &[
                &arguments[..],
                &["--metric", metric, "--filter", "workflow"],
            ]
            .concat(),
        );
        assert!(
            told.contains(&format!("Nothing changed by {metric}")),
            "{told}"
        );
    }
    let told = user.json(&["timings", "diff", &dump, &dump]);
    let items = told["items"].as_array().unwrap();
    let of = |name: &str| items.iter().find(|one| one["name"] == name).unwrap();
    assert_eq!(of("POST /workflows")["verdict"], "within noise");
    assert_eq!(of("POST /workflows")["count_a"], 150);
    assert_eq!(told["worse"], 0);
}

/// Somebody else has the database's lock when a write begins: BEGIN has to wait for it.
#[test]
fn what_got_slower_is_named() {
    let user = User::with_server_of(&["-d", "x.db"]);
    user.good(&["timings", "reset"]);
    load(&user, 120, None);
    let before = dump(&user, "before.json");
    let conn = rusqlite::Connection::open(user.path().join("x.db")).unwrap();
    conn.busy_timeout(HANG).unwrap();
    load(&user, 120, Some(&conn));
    let after = dump(&user, "after.json");
    let answer = user.torc(&["timings", "diff", &before, &after, "--fail-above", "50%"]);
    let Answer { code, out, err } = answer;
    assert_eq!(code, Some(5), "{out}{err}");
    let slower = out.split("Slower in B (p50)").nth(1).unwrap();
    assert!(slower.contains("operation create_workflow, begin"), "{out}");
    assert!(slower.contains("route POST /workflows"), "{out}");
    assert!(err.contains("got worse by more than 50 %"), "{err}");
    // The other way round it got faster, whatever else happened meanwhile.
    let out = user.good(&["timings", "diff", &after, &before]);
    let faster = out.split("Faster in B (p50)").nth(1).unwrap();
    assert!(faster.contains("operation create_workflow, begin"), "{out}");
}

fn series(count: u64, at: f64) -> Value {
    let each = count / 5;
    let buckets: Vec<(f64, u64)> = (0..5)
        .map(|n| (at * (0.9 + 0.05 * f64::from(n)), each))
        .collect();
    json!({"count": count, "total": at * count as f64, "mean": at, "p50": at, "p99": at * 1.1,
           "max": at * 1.1, "buckets": buckets})
}

fn made(version: &str, create: f64, claim: f64, claims: u64, further: &str) -> String {
    json!({
        "generated_at": "2026-11-26T02:30:00.000Z", "window": "start", "window_s": 60.0,
        "about": {"version": version, "cpu": "a", "pid": create},
        "spans": [], "phases": {
            "routes": [{"route": "POST /jobs", "wall": series(5000, create)},
                       {"route": "POST /claim", "wall": series(claims, claim)},
                       {"route": "GET /version", "wall": series(10, 100.0)}],
            "operations": [], "tasks": [],
            "statements": [{"statement": further, "elapsed": series(100, 10.0)}],
        },
    })
    .to_string()
}

#[test]
fn changes_are_told_in_words() {
    let user = User::alone();
    user.write("a.json", &made("0.1.0", 1000.0, 500.0, 2000, "old"));
    user.write("b.json", &made("0.2.0", 1200.0, 501.0, 2500, "new"));
    let answer = user.torc(&["timings", "diff", "a.json", "b.json", "--all"]);
    insta::assert_snapshot!("timings_diff", answer.out);
    assert_eq!(answer.err, "warning: version differs: 0.1.0 and 0.2.0\n");
    assert_eq!(answer.code, Some(0));
    for (most, code) in [("10%", 5), ("25", 0)] {
        let failed = user.torc(&["timings", "diff", "a.json", "b.json", "--fail-above", most]);
        assert_eq!(failed.code, Some(code), "{most}: {failed:?}");
    }
    let json = user.json(&["timings", "diff", "a.json", "b.json", "--min-change", "1ms"]);
    assert_eq!(json["items"][0]["verdict"], "within noise", "{json}");
    assert_eq!(json["only_in_b"], json!(["statement new"]));
}

#[test]
fn what_is_no_dump_is_refused() {
    let user = User::alone();
    let good = user.write("good.json", &made("1", 10.0, 10.0, 100, "x"));
    user.write("text.json", "not json");
    user.write("other.json", "{\"items\": []}");
    user.write("wrong.json", "{\"phases\": {\"routes\": 3}}");
    let bare = made("1", 10.0, 10.0, 100, "x").replace("\"buckets\"", "\"other\"");
    user.write("bare.json", &bare);
    for (other, code, told) in [
        ("text.json", 1, "is no dump of timings"),
        ("other.json", 1, "it has no `phases`"),
        ("wrong.json", 1, "is no dump of timings"),
        ("bare.json", 1, "has no buckets"),
        ("missing.json", 1, "No such file"),
        (".", 1, "cannot read"),
    ] {
        let answer = user.torc(&["timings", "diff", &good, other]);
        assert_eq!(answer.code, Some(code), "{other}: {answer:?}");
        assert!(answer.err.contains(told), "{other}: {answer:?}");
    }
    for (arguments, told) in [
        (&["live", "live"][..], "compared with itself"),
        (
            &["good.json", "good.json", "--window", "10s"],
            "--window belongs to `live`",
        ),
        (
            &["good.json", "good.json", "--fail-above", "x"],
            "a percentage such as 10%",
        ),
        (
            &["good.json", "good.json", "--fail-above", "-5"],
            "a percentage such as 10%",
        ),
        (
            &["good.json", "good.json", "--min-change", "5"],
            "such as 100ms",
        ),
        (
            &["good.json", "good.json", "--metric", "p42"],
            "p50, p99, mean",
        ),
        (&["good.json"], "<B>"),
    ] {
        let answer = user.torc(&[&["timings", "diff"], arguments].concat());
        assert_eq!(answer.code, Some(2), "{arguments:?}: {answer:?}");
        assert!(answer.err.contains(told), "{arguments:?}: {answer:?}");
    }
}

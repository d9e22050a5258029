//! What tokio-console gets to see, asked over its own protocol.

#![expect(clippy::expect_used, reason = "a test may fail in a word")]
#![cfg(tokio_unstable)]

use std::collections::BTreeMap;

use console_api::field::Value;
use console_api::instrument::instrument_client::InstrumentClient;
use console_api::instrument::{InstrumentRequest, Update};

use crate::telemetry::{start, wait_for};

/// The first message to a client: everything the console knows.
fn everything(address: &str) -> Update {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let mut client = InstrumentClient::connect(format!("http://{address}"))
            .await
            .expect("it listens");
        let mut updates = client
            .watch_updates(InstrumentRequest {})
            .await
            .expect("it answers")
            .into_inner();
        updates
            .message()
            .await
            .expect("a message")
            .expect("an update")
    })
}

/// How many tasks of each name; nameless ones under an empty name.
fn task_names(update: &Update) -> BTreeMap<String, usize> {
    let mut names = BTreeMap::new();
    for task in &update.task_update.as_ref().expect("tasks").new_tasks {
        let name = task
            .fields
            .iter()
            .find_map(|field| match (&field.name, &field.value) {
                (
                    Some(console_api::field::Name::StrName(name)),
                    Some(Value::DebugVal(value) | Value::StrVal(value)),
                ) if name == "task.name" => Some(value.clone()),
                _ => None,
            });
        *names.entry(name.unwrap_or_default()).or_default() += 1;
    }
    names
}

/// Our tasks by name, no nameless ones but the runtime's main one, and the writer with
/// one operation that all its waiters used.
#[test]
fn shows_named_tasks_and_who_waits_for_the_writer() {
    let running = start(&["--console-bind", "127.0.0.1:0"], &[]);
    let address = wait_for("address of the console", || {
        let stderr = running.stderr();
        let line = stderr
            .lines()
            .find(|line| line.contains("tokio-console can connect"))?;
        Some(line.split("address=").nth(1)?.trim().to_owned())
    });
    // The console looks at its queue once a second; `stdin` is the last task to start.
    let update = wait_for("named tasks", || {
        let update = everything(&address);
        let names = task_names(&update);
        (names.contains_key("workers") && names.contains_key("stdin")).then_some(update)
    });
    let names = task_names(&update);
    for name in [
        "timing-gather-every-minute",
        "sigusr1-dumps-timings",
        "workers",
        "stdin",
    ] {
        assert_eq!(names.get(name), Some(&1), "{names:?}");
    }
    assert_eq!(
        names.get(""),
        Some(&1),
        "only the main task is nameless: {names:?}"
    );

    let resources = update.resource_update.expect("resources").new_resources;
    let writer = resources
        .iter()
        .find(|resource| resource.concrete_type == "Writer")
        .expect("the writer is a resource");
    let operations = update.async_op_update.expect("operations");
    let on_writer: Vec<_> = operations
        .new_async_ops
        .iter()
        .filter(|operation| operation.resource_id == writer.id)
        .collect();
    assert_eq!(on_writer.len(), 1, "twenty waits, one after the other");
    assert_eq!(on_writer[0].source, "Writer::submit");
    let id = on_writer[0].id.expect("an id").id;
    let stats = &operations.stats_update[&id];
    assert!(stats.task_id.is_some(), "the console knows who waited");
    assert_eq!(stats.attributes.len(), 1, "{:?}", stats.attributes);
    assert_eq!(running.end().status, 0);
}

/// Resident memory in KiB after so many rounds of 64 connections.
fn resident(flags: &[&str], rounds: usize) -> u64 {
    let running = start(flags, &[("TELEMETRY_CHILD_ROUNDS", &rounds.to_string())]);
    let status = std::fs::read_to_string(format!("/proc/{}/status", running.pid)).expect("Linux");
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .expect("VmRSS");
    let kib = line.split_whitespace().nth(1).expect("a number");
    assert_eq!(running.end().status, 0);
    kib.parse().expect("a number")
}

fn memory_of_the_console(rounds: usize) {
    let without = resident(&["--no-console"], rounds);
    let with = resident(&["--console-bind", "127.0.0.1:0"], rounds);
    eprintln!(
        "{} rounds: {without} KiB without, {with} KiB with the console",
        64 * rounds
    );
    assert!(with < without + 64 * 1024, "{with} KiB, {without} without");
}

/// Nameless tasks alone would cost 400 MB here, were they let in.
#[test]
#[cfg(target_os = "linux")]
fn the_console_stays_small() {
    memory_of_the_console(150);
}

#[test]
#[cfg(target_os = "linux")]
#[ignore = "takes a minute in a dev build"]
fn the_console_stays_small_after_200_000_rounds() {
    memory_of_the_console(3125);
}

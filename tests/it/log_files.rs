//! The log files: their names, what happens to old ones, and that nothing is lost.

#![expect(clippy::expect_used, reason = "a test may fail in a word")]

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::telemetry::{TIMED, files, start, start_in};

/// The log files in `logs`; links and directories are none.
fn log_files(dir: &Path) -> Vec<PathBuf> {
    let mut found = files(&dir.join("logs"), ".log");
    found.retain(|path| path.is_file() && !path.is_symlink());
    found
}

/// How many lines with `part` there are in all log files.
fn count(dir: &Path, part: &str) -> usize {
    let texts = log_files(dir)
        .into_iter()
        .map(|file| fs::read_to_string(file).expect("text"));
    texts.map(|text| text.matches(part).count()).sum()
}

/// A directory with `logs` in it, which holds these files.
fn with_logs(names: &[&str]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    fs::create_dir(dir.path().join("logs")).expect("made");
    for name in names {
        fs::write(dir.path().join("logs").join(name), "old\n").expect("written");
    }
    dir
}

/// Flat JSON in the file, text on standard error, nothing lost at the end.
#[test]
fn the_json_log_is_flat_and_flushed() {
    let flags = ["--no-console", "--log-dir", "logs", "--json-logs"];
    let mut env = TIMED.to_vec();
    env.push(("TELEMETRY_CHILD_LINES", "5000"));
    let ended = start(&flags, &env).end();
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    let log = fs::read_to_string(ended.dir.path().join("logs/torc-server.log"))
        .expect("the link leads to the live file");
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert!(lines.iter().filter(|line| line["line"].is_u64()).count() == 5000);
    let close = lines
        .iter()
        .find(|line| line["message"] == "close")
        .expect("a close line");
    assert_eq!(close["span"]["name"], "prepare_ready_jobs");
    assert_eq!(close["span"]["workflow_id"], 1);
    assert!(close["time.busy"].as_str().expect("text").ends_with("ms"));
    let last = lines.last().expect("lines");
    assert_eq!(last["message"], "the very last line");
    assert!(last["target"].is_string() && last["timestamp"].is_string());
}

/// The directory's total stays under the cap, and the newest lines are there.
#[test]
fn the_log_files_stay_below_their_cap() {
    for rotation in ["daily", "never"] {
        let flags = [
            "--no-console",
            "--log-dir",
            "logs",
            "--log-max-total-size",
            "256K",
            "--log-rotation",
            rotation,
        ];
        let ended = start(&flags, &[("TELEMETRY_CHILD_LINES", "10000")]).end();
        let logs = ended.dir.path().join("logs");
        let all = log_files(ended.dir.path());
        let total: u64 = all
            .iter()
            .map(|path| fs::metadata(path).expect("a file").len())
            .sum();
        assert!(total <= 256 * 1024, "{total}: {all:?}");
        assert!(total > 128 * 1024, "{total}: {all:?}");
        let live = fs::read_to_string(logs.join("torc-server.log")).expect("text");
        assert!(live.trim_end().ends_with("the very last line"));
    }
}

/// The live file counts, and is never the one that goes, however often the server starts.
#[test]
fn a_number_of_log_files_can_be_kept() {
    for most in [1, 3] {
        let days: Vec<String> = (1..=6)
            .map(|day| format!("torc-server.2020-01-0{day}.log"))
            .collect();
        let mut dir = with_logs(&days.iter().map(String::as_str).collect::<Vec<_>>());
        for starts in 1..=3 {
            let most = most.to_string();
            let flags = [
                "--no-console",
                "--log-dir",
                "logs",
                "--log-max-files",
                &most,
            ];
            let ended = start_in(dir, &flags, &[]).end();
            dir = ended.dir;
            let kept = log_files(dir.path());
            assert_eq!(kept.len().to_string(), most, "{kept:?}");
            let live = fs::read_to_string(dir.path().join("logs/torc-server.log")).expect("live");
            assert_eq!(live.matches("the very last line").count(), starts);
        }
    }
}

/// Files rolled by size count as well.
#[test]
fn the_number_holds_when_size_rolls() {
    for rotation in ["hourly", "never"] {
        let flags = [
            "--no-console",
            "--log-dir",
            "logs",
            "--log-rotation",
            rotation,
            "--log-max-files",
            "2",
            "--log-max-total-size",
            "256K",
        ];
        let ended = start(&flags, &[("TELEMETRY_CHILD_LINES", "2000")]).end();
        let kept = log_files(ended.dir.path());
        assert_eq!(kept.len(), 2, "{kept:?}");
        let live = ended.dir.path().join("logs/torc-server.log");
        let live = fs::read_to_string(live).expect("live");
        assert!(live.trim_end().ends_with("the very last line"));
        // The number grows, so that it tells the order.
        let numbered = kept.iter().find_map(|path| {
            let stem = path.file_stem()?.to_str()?;
            stem.rsplit('.').next()?.parse::<u32>().ok()
        });
        assert!(numbered.is_some_and(|n| n > 2), "{kept:?}");
    }
}

/// What others put there stays, whatever it is called.
#[test]
fn only_our_own_files_are_deleted() {
    let others = [
        "torc-server-notes.log",
        "torc-server.notes.log",
        "torc-server.2020-01-01.notes.log",
        "other.2020-01-01.log",
        "torc-server.2020-01-01.log.gz",
    ];
    let dir = with_logs(&others);
    fs::write(
        dir.path().join("logs/torc-server-big.log"),
        vec![b'x'; 300_000],
    )
    .expect("written");
    let flags = [
        "--no-console",
        "--log-dir",
        "logs",
        "--log-max-files",
        "1",
        "--log-max-total-size",
        "128K",
    ];
    let ended = start_in(dir, &flags, &[("TELEMETRY_CHILD_LINES", "1000")]).end();
    for name in others.into_iter().chain(["torc-server-big.log"]) {
        assert!(ended.dir.path().join("logs").join(name).exists(), "{name}");
    }
}

/// A regular file in the place of the link (of Torc 1.0.0, or of `--log-rotation never`)
/// is kept under a number.
#[test]
fn a_file_in_the_place_of_the_link_moves_aside() {
    let dir = with_logs(&["torc-server.log", "torc-server.4.log"]);
    fs::write(dir.path().join("logs/torc-server.log"), "of Torc\n").expect("written");
    let ended = start_in(dir, &["--no-console", "--log-dir", "logs"], &[]).end();
    let logs = ended.dir.path().join("logs");
    let aside = fs::read_to_string(logs.join("torc-server.5.log")).expect("moved");
    assert_eq!(aside, "of Torc\n");
    assert!(logs.join("torc-server.log").is_symlink());

    // The other way round the link goes, and the dated file is finished.
    let flags = [
        "--no-console",
        "--log-dir",
        "logs",
        "--log-rotation",
        "never",
    ];
    let ended = start_in(ended.dir, &flags, &[]).end();
    let logs = ended.dir.path().join("logs");
    assert!(!logs.join("torc-server.log").is_symlink());
    let live = fs::read_to_string(logs.join("torc-server.log")).expect("live");
    assert_eq!(live.matches("the very last line").count(), 1);
    assert_eq!(count(ended.dir.path(), "the very last line"), 2);
}

/// While no new file can be made the old one goes on, and afterwards it rolls again.
#[test]
fn a_roll_that_fails_loses_nothing() {
    let flags = [
        "--no-console",
        "--log-dir",
        "logs",
        "--log-max-total-size",
        "1M",
    ];
    let mut running = start(&flags, &[]);
    let link = running.dir.path().join("logs/torc-server.log");
    // Nothing can take the place of a directory.
    fs::remove_file(&link).expect("a link");
    fs::create_dir(&link).expect("made");
    running.log(1000);
    assert_eq!(log_files(running.dir.path()).len(), 1);
    fs::remove_dir(&link).expect("empty");
    running.log(1000);
    assert!(log_files(running.dir.path()).len() > 1);
    assert!(link.is_symlink());
    let ended = running.end();
    assert_eq!(count(ended.dir.path(), "demanded"), 2000);
    assert!(
        !ended.stderr.contains("lines were lost"),
        "{}",
        ended.stderr
    );
}

/// A directory that somebody removed is made again. Where it cannot be, lines are counted
/// as lost, not written to a file without a name.
#[test]
fn a_removed_directory_is_made_again() {
    let mut running = start(&["--no-console", "--log-dir", "logs"], &[]);
    let logs = running.dir.path().join("logs");
    fs::remove_dir_all(&logs).expect("removed");
    running.log(10);
    assert_eq!(count(running.dir.path(), "demanded"), 10);
    fs::remove_dir_all(&logs).expect("removed");
    fs::write(&logs, "in the way").expect("written");
    running.log(10);
    fs::remove_file(&logs).expect("removed");
    running.log(10);
    assert_eq!(count(running.dir.path(), "demanded"), 10);
    let ended = running.end();
    assert!(
        ended.stderr.contains("log lines were lost dropped=10"),
        "{}",
        ended.stderr
    );
}

//! Cuts a stack to what a reader wants: where a task waits, by which call of ours.

use tokio::runtime::dump::{BacktraceSymbol, Trace};

use crate::telemetry::symbols;
use crate::telemetry::task::alive::short_path;

/// Frames of others that are kept at the innermost end, and again where ours call them.
const OF_OTHERS: usize = 2;
/// Frames that are told of one stack at most.
const FRAMES: usize = 24;
/// Stacks that are told of one task at most.
const STACKS: usize = 16;
/// What every stack has, and nobody wants.
const NOISE: [&str; 5] = [
    "core::",
    "std::",
    "alloc::",
    "tokio::runtime::task::trace::",
    "torc_server::telemetry::task::",
];
/// The files that ask for stacks, where their functions are inlined.
const ASKER: &str = "src/telemetry/task/";

/// The stacks of a task, each with the innermost frame first. Reads debug information:
/// the first time takes long.
pub fn of(trace: &Trace) -> Vec<Vec<String>> {
    let backtraces = trace.resolve_backtraces();
    let stacks = backtraces.iter().take(STACKS).map(|backtrace| {
        let symbols = backtrace.frames().flat_map(|frame| frame.symbols());
        cut(symbols.filter_map(frame).collect())
    });
    stacks.filter(|stack| !stack.is_empty()).collect()
}

/// A frame as text, its function, and whether it is our code.
struct Frame {
    function: String,
    text: String,
    ours: bool,
}

fn frame(symbol: &BacktraceSymbol) -> Option<Frame> {
    let function = symbols::short(symbol.name_demangled()?);
    let place = symbol.filename().and_then(|file| file.to_str());
    // A function that was inlined has lost its path, so the file counts as well.
    let ours = symbols::is_below(&function, "torc_server::")
        || place.is_some_and(|file| file.starts_with(concat!(env!("CARGO_MANIFEST_DIR"), "/src/")));
    let text = match (place, symbol.lineno()) {
        (Some(file), Some(line)) => format!("{function} at {}:{line}", short_path(file)),
        _ => function.clone(),
    };
    Some(Frame {
        function,
        text,
        ours,
    })
}

/// Keeps the innermost frames, ours, and those of others that ours call.
fn cut(frames: Vec<Frame>) -> Vec<String> {
    let noise = |frame: &Frame| {
        NOISE
            .iter()
            .any(|prefix| symbols::is_below(&frame.function, prefix))
            || frame.text.contains(ASKER)
    };
    let frames: Vec<Frame> = frames.into_iter().filter(|frame| !noise(frame)).collect();
    let first_of_ours = frames.iter().position(|frame| frame.ours);
    let first_of_ours = first_of_ours.unwrap_or(frames.len());
    let mut kept = Vec::new();
    for (depth, frame) in frames.into_iter().enumerate() {
        let near = depth < OF_OTHERS || depth + OF_OTHERS >= first_of_ours;
        let called = depth < first_of_ours && near;
        if called || frame.ours {
            kept.push(frame.text);
        }
    }
    kept.dedup();
    kept.truncate(FRAMES);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(functions: &[&str]) -> Vec<Frame> {
        functions
            .iter()
            .map(|function| Frame {
                function: (*function).to_owned(),
                text: (*function).to_owned(),
                ours: symbols::is_below(function, "torc_server::"),
            })
            .collect()
    }

    #[test]
    fn a_stack_is_cut_to_where_it_waits_and_what_is_ours() {
        let stack = frames(&[
            "core::ptr::read",
            "tokio::a",
            "<tokio::B as core::future::Future>::poll",
            "tokio::c",
            "tokio::d",
            "tokio::net::TcpListener::accept",
            "torc_server::server::http::serve::{{closure}}",
            "<torc_server::X as core::future::Future>::poll",
            "tokio::runtime::task::harness",
        ]);
        assert_eq!(
            cut(stack),
            [
                "tokio::a",
                "<tokio::B as core::future::Future>::poll",
                "tokio::d",
                "tokio::net::TcpListener::accept",
                "torc_server::server::http::serve::{{closure}}",
                "<torc_server::X as core::future::Future>::poll",
            ]
        );
        // Without a frame of ours the two ends are what there is.
        let others = cut(frames(&["a", "b", "c", "d", "e"]));
        assert_eq!(others, ["a", "b", "d", "e"]);
        assert!(cut(Vec::new()).is_empty());
    }
}

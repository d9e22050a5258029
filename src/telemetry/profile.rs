//! CPU profiles of this process: which functions its threads were in, sample by sample.
//!
//! The kernel sends SIGPROF so many times for each second of CPU time that the process
//! uses, to a thread that uses it; the handler notes that thread's stack. Nothing is
//! installed between two profiles. What waits uses no CPU and does not show.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, TryLockError};
use std::time::{Duration, Instant};

use pprof::ProfilerGuardBuilder;
use pprof::flamegraph::color::{MultiPalette, Palette};
use pprof::flamegraph::{self, Options};

use super::symbols;

/// How long a profile may take, in seconds.
pub const SECONDS: std::ops::RangeInclusive<u64> = 1..=60;
/// How many samples may be taken in each second of CPU time; the kernel's own clock, of
/// 100 to 1,000 ticks a second, may allow for less.
pub const FREQUENCIES: std::ops::RangeInclusive<i32> = 1..=999;
/// Between two looks whether anybody still waits for the profile.
const PATIENCE: Duration = Duration::from_millis(100);
/// Code that is not sampled: the unwinder itself, which a sample would enter again.
const NOT_HERE: [&str; 2] = ["libgcc", "vdso"];
/// Frames at the inner end of each stack that are the profiler's own.
const OWN: [&str; 4] = [
    "pprof::",
    "backtrace::",
    "perf_signal_handler",
    "__restore_rt",
];

/// Everything outside of these is the same for all tasks, or all threads.
const OUTSIDE: [&str; 2] = [
    "tokio::runtime::task::trace::Root",
    "__rust_begin_short_backtrace",
];

static ONE: Mutex<()> = Mutex::new(());

/// Why there is no profile.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// Another one is being taken.
    #[error("another CPU profile is being taken; ask again when it is done")]
    Busy,
    /// Nobody waits for it any more.
    #[error("the caller went away")]
    Abandoned,
    /// It could not be taken: there is no timer, or no room for a temporary file.
    #[error("the CPU profile could not be taken: {0}")]
    Failed(String),
}

/// Samples, by the stack that they found.
#[derive(Debug, PartialEq, Eq)]
pub struct Profile {
    /// `thread;outermost;…;innermost` and how many samples found it.
    stacks: BTreeMap<String, u64>,
    /// How long samples were taken.
    span: Duration,
    /// Samples that were wanted for each second of CPU time.
    frequency: i32,
}

/// Takes samples for `span`, as long as somebody waits for them. Blocks for that long and
/// for the time that it takes to name all functions, the first time a second or more.
///
/// # Errors
///
/// [`ProfileError`].
pub fn record(
    span: Duration,
    frequency: i32,
    awaited: impl Fn() -> bool,
) -> Result<Profile, ProfileError> {
    let _one = match ONE.try_lock() {
        Ok(one) => one,
        Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        Err(TryLockError::WouldBlock) => return Err(ProfileError::Busy),
    };
    let failed = |error: pprof::Error| ProfileError::Failed(error.to_string());
    let guard = ProfilerGuardBuilder::default()
        .frequency(frequency)
        .blocklist(&NOT_HERE)
        .build()
        .map_err(failed)?;
    let end = Instant::now() + span;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        if !awaited() {
            return Err(ProfileError::Abandoned);
        }
        std::thread::sleep(left.min(PATIENCE));
    }
    let report = guard.report().build_unresolved().map_err(failed)?;
    // Naming takes long, and nobody should be interrupted for it.
    drop(guard);
    let mut names = Names::default();
    let mut stacks: BTreeMap<String, u64> = BTreeMap::new();
    for (sample, count) in &report.data {
        let count = u64::try_from(*count).unwrap_or_default();
        let thread = &sample.thread_name[..sample.thread_name_length];
        let stack = names.stack(&String::from_utf8_lossy(thread), &sample.frames);
        *stacks.entry(stack).or_default() += count;
    }
    Ok(Profile {
        stacks,
        span,
        frequency,
    })
}

/// Names of functions by address: samples meet the same ones again and again.
#[derive(Default)]
struct Names(HashMap<usize, Vec<String>>);

impl Names {
    /// A stack in one line, the thread first.
    fn stack(&mut self, thread: &str, frames: &[backtrace::Frame]) -> String {
        let begin = name(thread);
        let mut stack = begin.clone();
        // Each frame may hold several functions, inlined into one another.
        'inwards: for frame in frames.iter().rev() {
            for function in self.of(frame).iter().rev() {
                let is_of = |paths: &[&str]| {
                    let mut paths = paths.iter();
                    paths.any(|path| symbols::is_below(function, path))
                };
                if is_of(&OWN) {
                    break 'inwards;
                }
                if is_of(&OUTSIDE) {
                    stack.clone_from(&begin);
                    continue;
                }
                stack.push(';');
                stack.push_str(function);
            }
        }
        stack
    }

    /// The functions of a frame, the innermost first.
    fn of(&mut self, frame: &backtrace::Frame) -> &[String] {
        self.0.entry(frame.ip() as usize).or_insert_with(|| {
            let mut functions = Vec::new();
            backtrace::resolve_frame(frame, |symbol| {
                let function = symbol.name().map(|name| name.to_string());
                let file = symbol.filename().map(|file| file.to_string_lossy());
                let function = function.unwrap_or_else(|| "(unknown)".to_owned());
                functions.push(name(&symbols::short_with_file(&function, file)));
            });
            functions
        })
    }
}

/// A name without the characters that divide a folded stack.
fn name(text: &str) -> String {
    text.replace(';', ",").replace('\n', " ")
}

impl Profile {
    /// How many samples there are.
    pub fn samples(&self) -> u64 {
        self.stacks.values().sum()
    }

    /// Folded stacks, one a line, as the tools for flame graphs read them.
    pub fn collapsed(&self) -> String {
        use std::fmt::Write;

        let mut text = String::new();
        for (stack, samples) in &self.stacks {
            let _ = writeln!(text, "{stack} {samples}");
        }
        text
    }

    /// A flame graph in one SVG file that needs no other.
    ///
    /// # Errors
    ///
    /// [`ProfileError::Failed`].
    pub fn svg(&self) -> Result<Vec<u8>, ProfileError> {
        let samples = self.samples();
        if samples == 0 {
            return Ok(self.nothing());
        }
        let mut options = Options::default();
        options.title = format!(
            "torc-server: CPU time in {} s, {samples} samples, {} wanted a second of CPU time",
            self.span.as_secs(),
            self.frequency
        );
        options.count_name = "samples".to_owned();
        options.colors = Palette::Multi(MultiPalette::Rust);
        let mut svg = Vec::new();
        let lines = self.collapsed();
        flamegraph::from_lines(&mut options, lines.lines(), &mut svg)
            .map_err(|error| ProfileError::Failed(error.to_string()))?;
        Ok(svg)
    }

    /// What a process shows that used no CPU.
    fn nothing(&self) -> Vec<u8> {
        format!(
            "<?xml version=\"1.0\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"800\" \
             height=\"60\"><text x=\"20\" y=\"35\" font-family=\"sans-serif\">torc-server used \
             too little CPU for a sample in {} s.</text></svg>\n",
            self.span.as_secs()
        )
        .into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(stacks: &[(&str, u64)]) -> Profile {
        Profile {
            stacks: stacks
                .iter()
                .map(|(stack, samples)| ((*stack).to_owned(), *samples))
                .collect(),
            span: Duration::from_secs(3),
            frequency: 99,
        }
    }

    #[test]
    fn a_profile_is_drawn_and_folded() {
        let profile = profile(&[("main;a::b;c<d>", 3), ("main;a::b", 2)]);
        assert_eq!(profile.collapsed(), "main;a::b 2\nmain;a::b;c<d> 3\n");
        let svg = String::from_utf8(profile.svg().unwrap()).unwrap();
        assert!(svg.contains("5 samples") && svg.contains("c&lt;d&gt;"));
        assert!(svg.trim_end().ends_with("</svg>"));
    }

    #[test]
    fn an_idle_process_gets_a_picture_that_says_so() {
        let svg = String::from_utf8(profile(&[]).svg().unwrap()).unwrap();
        assert!(svg.contains("too little CPU") && svg.contains("</svg>"));
    }
}

//! What the user sees while the worker works: a bar, lines, or nothing. All on standard error.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::Instant;

use super::RunOutcome;
use crate::say::say;

/// Time between two lines.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// How the worker shows what it does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Progress {
    /// A bar, for a terminal.
    Bar,
    /// A line every few seconds, for files and pipes.
    Lines,
    /// Nothing.
    #[default]
    Quiet,
}

impl Progress {
    /// The bar if standard error is a terminal, else lines.
    pub fn auto() -> Self {
        use std::io::IsTerminal;
        if std::io::stderr().is_terminal() {
            Self::Bar
        } else {
            Self::Lines
        }
    }
}

/// How far the workflow is, all workers together.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Extent {
    /// Jobs of the workflow.
    pub(super) total: u64,
    /// Those that have ended.
    pub(super) done: u64,
}

impl Extent {
    /// Takes in a count of the whole. Within a run nothing goes backwards: events may have
    /// told of more than the server had counted.
    pub(super) fn counted(&mut self, total: i64, done: i64) {
        self.total = u64::try_from(total).unwrap_or_default();
        self.done = self.done.max(u64::try_from(done).unwrap_or_default());
    }
}

impl Extent {
    /// With no more ended jobs than there can be while so many run here: an event may
    /// tell of an ending that the count before it had in it already.
    fn without(self, running: usize) -> Self {
        Self {
            done: self.done.min(self.total.saturating_sub(running as u64)),
            ..self
        }
    }
}

/// Shows the progress.
pub(super) struct Display {
    bar: Option<ProgressBar>,
    lines: bool,
    next_line: Instant,
}

impl Display {
    pub(super) fn new(progress: Progress) -> Self {
        let bar = (progress == Progress::Bar).then(|| {
            let bar = ProgressBar::new(0);
            // The template is a constant; a plain bar is the answer to a typing error in it.
            if let Ok(style) =
                ProgressStyle::with_template("{elapsed_precise} {wide_bar} {pos}/{len} jobs, {msg}")
            {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(500));
            bar
        });
        Self {
            bar,
            lines: progress == Progress::Lines,
            next_line: Instant::now() + LINE_EVERY,
        }
    }

    /// Whether anybody looks.
    pub(super) fn is_shown(&self) -> bool {
        self.bar.is_some() || self.lines
    }

    /// A message of its own, such as the first and the last.
    pub(super) fn say(&self, message: &str) {
        match &self.bar {
            Some(bar) => bar.println(message),
            None if self.lines => say(message),
            None => {}
        }
    }

    /// Shows how things stand; cheap enough to call at every turn.
    pub(super) fn update(&mut self, extent: Extent, running: usize, outcome: &RunOutcome) {
        let extent = extent.without(running);
        if let Some(bar) = &self.bar {
            bar.set_length(extent.total);
            bar.set_position(extent.done.min(extent.total));
            bar.set_message(tally(running, outcome));
        } else if self.lines && Instant::now() >= self.next_line {
            self.next_line = Instant::now() + LINE_EVERY;
            let Extent { total, done } = extent;
            say(format_args!(
                "{} of {total} jobs have ended, {}",
                done.min(total),
                tally(running, outcome)
            ));
        }
    }

    /// Leaves the terminal in order.
    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn tally(running: usize, outcome: &RunOutcome) -> String {
    let mut text = format!("{running} running here");
    for (count, what) in [
        (outcome.failed + outcome.pending_failed, "failed"),
        (outcome.terminated, "terminated"),
        (outcome.canceled, "canceled"),
    ] {
        if count > 0 {
            text.push_str(&format!(", {count} {what}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::Extent;

    #[test]
    fn nothing_goes_backwards() {
        let mut extent = Extent::default();
        extent.counted(10, 2);
        extent.done += 3;
        extent.counted(10, 4);
        assert_eq!((extent.done, extent.total), (5, 10));
        extent.counted(12, 7);
        assert_eq!((extent.done, extent.total), (7, 12));
        assert_eq!(extent.without(6).done, 6, "what runs has not ended");
    }
}

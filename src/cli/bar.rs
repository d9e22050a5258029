//! How far the creation of a large workflow is.

use std::cell::Cell;
use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};

use crate::say::say;

/// Fewer jobs than this are created before a bar could be read.
const WORTH_SHOWING: usize = 5_000;

/// A bar on a terminal, else a line now and then, both on standard error.
pub struct Bar {
    bar: Option<ProgressBar>,
    lines: bool,
    total: usize,
    done: Cell<usize>,
}

impl Bar {
    /// Begins with none of `total` jobs created.
    pub fn new(total: usize) -> Self {
        let large = total >= WORTH_SHOWING;
        let terminal = std::io::stderr().is_terminal();
        let bar = (large && terminal).then(|| {
            let bar = ProgressBar::new(total as u64);
            // The template is a constant; a plain bar is the answer to a typing error in it.
            if let Ok(style) = ProgressStyle::with_template("creating {wide_bar} {pos}/{len} jobs")
            {
                bar.set_style(style);
            }
            bar
        });
        Self {
            bar,
            lines: large && !terminal,
            total,
            done: Cell::new(0),
        }
    }

    /// So many more have been created.
    pub fn advance(&self, jobs: usize) {
        self.done.set(self.done.get() + jobs);
        if let Some(bar) = &self.bar {
            bar.inc(jobs as u64);
        } else if self.lines {
            say(format_args!(
                "created {} of {} jobs",
                self.done.get(),
                self.total
            ));
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

//! The dump as text, for people at a terminal.

use std::fmt;

use super::{State, TaskReport, TasksReport};

impl fmt::Display for TasksReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "torc-server tasks at {}", self.generated_at)?;
        match self.without_stacks {
            Some(reason) => writeln!(f, "without stacks: {reason}\n")?,
            None => writeln!(f, "asked and answered within {:.1} ms\n", self.dump_ms)?,
        }
        for count in &self.counts {
            writeln!(f, "{:>7} × {}", count.count, count.name)?;
        }
        for task in &self.tasks {
            one(f, task, self.without_stacks.is_none())?;
        }
        if self.left_out > 0 {
            writeln!(
                f,
                "\n{} more are not listed; ?name=NAME lists more of one name",
                self.left_out
            )?;
        }
        writeln!(f, "\nOn the blocking pool: {}", self.blocking.len())?;
        for blocking in &self.blocking {
            write!(
                f,
                "  {}, asked for {:.1} s ago, ",
                blocking.name, blocking.age_s
            )?;
            match blocking.running_s {
                Some(running) => writeln!(f, "has run for {running:.1} s")?,
                None => writeln!(f, "waits for a thread")?,
            }
        }
        Ok(())
    }
}

fn one(f: &mut fmt::Formatter<'_>, task: &TaskReport, stacks: bool) -> fmt::Result {
    writeln!(
        f,
        "\n{} (task {}, {:.1} s old, spawned at {})",
        task.name.unwrap_or("unnamed"),
        task.id,
        task.age_s,
        task.spawned_at
    )?;
    match task.state {
        State::Silent => writeln!(f, "  gave no answer: it runs, or its worker is stuck")?,
        State::Unknown if stacks => writeln!(f, "  not a task of ours, so its stack is not known")?,
        State::Parked if task.stacks.is_empty() => writeln!(f, "  was not waiting")?,
        State::Parked | State::Unknown => {}
    }
    for stack in &task.stacks {
        for (depth, frame) in stack.iter().enumerate() {
            let mark = if depth == 0 { "waits in" } else { "      of" };
            writeln!(f, "  {mark} {frame}")?;
        }
    }
    Ok(())
}

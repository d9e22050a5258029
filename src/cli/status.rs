//! `torc status`: how a workflow stands.

use super::context::Context;
use super::failure::Failure;
use super::table;
use crate::wire::WorkflowId;
use crate::wire::workflows::WorkflowStatusResponse;

/// Prints how the workflow stands.
///
/// # Errors
///
/// [`Failure`] if the server refuses.
pub async fn run(context: &Context, id: Option<WorkflowId>) -> Result<(), Failure> {
    let id = context.workflow_or_newest(id).await?;
    let status = context.client.get_workflow_status(id).await?;
    context
        .output
        .one(&status, &lines(&status, context.output.colors))
}

/// The counts that are not zero, in the order in which jobs go through them.
fn counts(status: &WorkflowStatusResponse) -> Vec<(&'static str, i64)> {
    let jobs = &status.jobs_by_status;
    [
        ("uninitialized", jobs.uninitialized),
        ("blocked", jobs.blocked),
        ("ready", jobs.ready),
        ("pending", jobs.pending),
        ("running", jobs.running),
        ("completed", jobs.completed),
        ("failed", jobs.failed),
        ("pending_failed", jobs.pending_failed),
        ("canceled", jobs.canceled),
        ("terminated", jobs.terminated),
        ("disabled", jobs.disabled),
    ]
    .into_iter()
    .filter(|(_, count)| *count > 0)
    .collect()
}

fn lines(status: &WorkflowStatusResponse, colors: bool) -> Vec<(&'static str, String)> {
    let state = match (status.is_canceled, status.is_complete) {
        (true, _) => "canceled",
        (_, true) => "complete",
        _ => "not complete",
    };
    let counts = counts(status).into_iter().map(|(word, count)| {
        let word = if colors {
            table::colored(word)
        } else {
            word.to_owned()
        };
        format!("{count} {word}")
    });
    let mut lines = vec![
        (
            "Workflow",
            format!("{}, {}", status.workflow_id, status.workflow_name),
        ),
        ("User", status.workflow_user.clone()),
        ("State", state.to_owned()),
        (
            "Jobs",
            format!(
                "{}: {}",
                status.total_jobs,
                counts.collect::<Vec<_>>().join(", ")
            ),
        ),
        ("Active workers", status.active_compute_nodes.to_string()),
        (
            "Execution time",
            seconds(status.total_exec_time_minutes * 60.0),
        ),
    ];
    if let Some(walltime) = status.walltime_seconds {
        lines.push(("Wall time", seconds(walltime)));
    }
    for (labels, count) in &status.unserved_ready_labels {
        let what = format!("{count} ready jobs want a worker with the labels {labels}");
        lines.push(("Attention", what));
    }
    lines
}

/// A duration as people read it.
fn seconds(total: f64) -> String {
    if total < 60.0 {
        return format!("{total:.1} s");
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a duration in seconds is far below the limit"
    )]
    let whole = total.round() as i64;
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    if hours > 0 {
        format!("{hours} h {minutes:02} min {seconds:02} s")
    } else {
        format!("{minutes} min {seconds:02} s")
    }
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn durations_are_readable() {
        assert_eq!(seconds(0.04), "0.0 s");
        assert_eq!(seconds(61.0), "1 min 01 s");
        assert_eq!(seconds(3723.4), "1 h 02 min 03 s");
    }
}

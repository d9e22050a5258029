//! `torc timings --slow`: the slowest requests that the server knows for an operation or a
//! route, with the phases that made them slow.

use serde_json::json;

use crate::cli::context::Context;
use crate::cli::debug_pages::refused;
use crate::cli::failure::Failure;
use crate::cli::figures::{Grid, time};
use crate::cli::output::{print, print_json};
use crate::cli::screen::Size;
use crate::cli::trace::began;
use crate::wire::debug::{Exemplar, Exemplars, Phases};

/// Shows at most `limit` of them, the slowest first.
///
/// # Errors
///
/// [`Failure`] if the server refuses.
pub async fn run(context: &Context, name: &str, limit: usize) -> Result<(), Failure> {
    // Routes have a path.
    let is_route = name.contains('/');
    let kind = if is_route { "route" } else { "operation" };
    let asked = context.client.exemplars(kind, name).await;
    let answer =
        asked.map_err(|error| refused(&context.client, error, "this server keeps no exemplars"))?;
    let slowest = slowest(answer, limit);
    if context.output.is_json() {
        return print_json(&json!({"items": slowest}));
    }
    if slowest.is_empty() {
        return print(&format!("No request for the {kind} {name} is known yet\n"));
    }
    let size = Size::of_output();
    let colors = context.output.colors;
    print(&text(&slowest, name, is_route, size.columns, colors))
}

fn slowest(answer: Exemplars, limit: usize) -> Vec<Exemplar> {
    let mut all = answer.exemplars;
    all.sort_by(|a, b| b.request.wall_us.total_cmp(&a.request.wall_us));
    all.truncate(limit);
    all
}

fn text(
    slowest: &[Exemplar],
    name: &str,
    is_route: bool,
    columns: Option<usize>,
    colors: bool,
) -> String {
    let mut grid = Grid::new(&[
        "request", "id", "status", "wall", "queue", "begin", "batch", "execute", "commit", "reads",
    ]);
    for one in slowest {
        let request = &one.request;
        let method = request.route.split(' ').next().unwrap_or_default();
        let path = request.path.strip_prefix(crate::wire::BASE_PATH);
        let path = path.unwrap_or(&request.path);
        let mut sum = Phases::default();
        for command in &request.commands {
            if is_route || command.operation == name {
                let phases = &command.phases;
                sum.queue_wait_us += phases.queue_wait_us;
                sum.begin_us += phases.begin_us;
                sum.batch_wait_us += phases.batch_wait_us;
                sum.execute_us += phases.execute_us;
                sum.commit_us += phases.commit_us;
            }
        }
        let reads: f64 = request.statements.iter().map(|one| one.elapsed_us).sum();
        grid.row(vec![
            format!("{method} {path}"),
            request.id.to_string(),
            request.status.to_string(),
            time(request.wall_us),
            time(sum.queue_wait_us),
            time(sum.begin_us),
            time(sum.batch_wait_us),
            time(sum.execute_us),
            time(sum.commit_us),
            time(reads + request.read_wait_us),
        ]);
    }
    let mut text = format!("The slowest requests that are known for {name}\n");
    text += &grid.text(columns, colors);
    if let Some(first) = slowest.first() {
        let request = &first.request;
        text += &format!(
            "The first began {}; `torc trace --request {}` draws it\n",
            began(request),
            request.id
        );
    }
    text
}

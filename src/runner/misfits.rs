//! Jobs that this machine can never run, told at the start: a worker would wait for them
//! in silence.

use std::time::Duration;

use super::account::memory_bytes;
use super::machine::GIB;
use crate::client::Client;
use crate::wire::compute_nodes::ComputeNodeModel;
use crate::wire::resource_requirements::{
    ListResourceRequirementsQuery, ResourceRequirementsModel,
};

/// Nobody waits longer for a warning.
const PATIENCE: Duration = Duration::from_secs(5);
/// Requirements looked at; a workflow with more of them made them by a program.
const LOOKED_AT: i64 = 1000;
/// Requirements named in the warning.
const NAMED: usize = 5;

/// Warns about requirements of the workflow that this machine does not meet.
pub(super) async fn warn(client: &Client, node: &ComputeNodeModel) {
    let query = ListResourceRequirementsQuery {
        workflow_id: node.workflow_id,
        limit: Some(LOOKED_AT),
        ..ListResourceRequirementsQuery::default()
    };
    let asked = client.list_resource_requirements(&query);
    let Ok(Ok(page)) = tokio::time::timeout(PATIENCE, asked).await else {
        return;
    };
    if let Some(warning) = told(&page.items, node) {
        tracing::warn!("{warning}");
    }
}

fn told(rows: &[ResourceRequirementsModel], node: &ComputeNodeModel) -> Option<String> {
    let too_large = |row: &&ResourceRequirementsModel| {
        let memory = memory_bytes(&row.memory).unwrap_or_default() as f64;
        row.num_cpus > node.num_cpus
            || memory > node.memory_gb * GIB
            || row.num_gpus > node.num_gpus
            || row.num_nodes > 1
    };
    let names: Vec<String> = rows.iter().filter(too_large).map(needs).collect();
    if names.is_empty() {
        return None;
    }
    let more = names.len().saturating_sub(NAMED);
    let mut list = names[..names.len() - more].join(", ");
    if more > 0 {
        list += &format!(" and {more} more");
    }
    Some(format!(
        "jobs with the requirements {list} do not fit this worker ({} CPUs, {:.1} GiB, {} GPUs) and are left to others",
        node.num_cpus, node.memory_gb, node.num_gpus
    ))
}

fn needs(row: &ResourceRequirementsModel) -> String {
    let mut needs = format!("{} ({} CPUs, {}", row.name, row.num_cpus, row.memory);
    for (count, noun) in [(row.num_gpus, "GPUs"), (row.num_nodes - 1, "further nodes")] {
        if count > 0 {
            needs += &format!(", {count} {noun}");
        }
    }
    needs + ")"
}

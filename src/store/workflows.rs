//! Workflows and the groups that may see them.

use entity::workflow::{self, Column, Entity};
use entity::{access_group, workflow_access_group};
use rusqlite::params;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::convert::{from_json, to_json};
use super::rows::{self, table};
use super::sql::Sql;
use super::{ReadConn, StoreError, WriteTx};
use crate::wire::workflows::WorkflowModel;

table!(
    "workflow",
    workflow::Model,
    [
        name,
        description,
        user,
        timestamp,
        is_archived,
        compute_node_expiration_buffer_seconds,
        compute_node_wait_for_new_jobs_seconds,
        compute_node_ignore_workflow_completion,
        compute_node_wait_for_healthy_database_minutes,
        compute_node_min_time_for_new_jobs_seconds,
        resource_monitor_config,
        slurm_defaults,
        use_pending_failed,
        enable_ro_crate,
        project,
        metadata,
        slurm_config,
        execution_config,
        env,
        run_id,
        is_canceled,
        dynamic_jobs,
        submission_directory,
        has_failures,
    ]
);

const EXISTS: Sql = Sql::new("workflow.exists", "SELECT 1 FROM workflow WHERE id = ?");
const STATE: Sql = Sql::new(
    "workflow.state",
    "SELECT run_id, is_canceled, is_archived, has_failures, \
       EXISTS (SELECT 1 FROM workflow_action WHERE workflow_id = w.id) \
     FROM workflow w WHERE id = ?",
);
const SET_CANCELED: Sql = Sql::new(
    "workflow.set_canceled",
    "UPDATE workflow SET is_canceled = 1 WHERE id = ?",
);
const SET_ARCHIVED: Sql = Sql::new(
    "workflow.set_archived",
    "UPDATE workflow SET is_archived = ?2, has_failures = 0 WHERE id = ?1",
);
const NEXT_RUN: Sql = Sql::new(
    "workflow.next_run",
    "UPDATE workflow SET run_id = run_id + 1, is_canceled = 0, is_archived = 0, has_failures = 0 \
     WHERE id = ?",
);
const SET_FAILURES: Sql = Sql::new(
    "workflow.set_failures",
    "UPDATE workflow SET has_failures = ?2 WHERE id = ?1 AND has_failures <> ?2",
);
const GROUP_BY_NAME: Sql = Sql::new(
    "access_group.by_name",
    "SELECT id FROM access_group WHERE name = ?",
);
const LINK_GROUP: Sql = Sql::new(
    "workflow_access_group.insert",
    "INSERT INTO workflow_access_group (workflow_id, group_id) VALUES (?1, ?2)",
);
const GROUPS: Sql = Sql::new(
    "workflow_access_group.names",
    "SELECT g.name FROM workflow_access_group w JOIN access_group g ON g.id = w.group_id \
     WHERE w.workflow_id = ? ORDER BY g.name",
);
/// Rows that no foreign key of the workflow or its jobs would take along quickly: children first.
const DELETE_CHILDREN: [Sql; 12] = [
    Sql::new(
        "workflow.delete.results_current",
        "DELETE FROM workflow_result WHERE workflow_id = ?",
    ),
    Sql::new(
        "workflow.delete.results",
        "DELETE FROM result WHERE workflow_id = ?",
    ),
    Sql::new(
        "workflow.delete.slurm_stats",
        "DELETE FROM slurm_stats WHERE workflow_id = ?",
    ),
    Sql::new(
        "workflow.delete.dependencies",
        "DELETE FROM job_depends_on WHERE workflow_id = ?",
    ),
    Sql::new(
        "workflow.delete.input_files",
        "DELETE FROM job_input_file WHERE workflow_id = ?",
    ),
    Sql::new(
        "workflow.delete.output_files",
        "DELETE FROM job_output_file WHERE workflow_id = ?",
    ),
    Sql::new(
        "workflow.delete.jobs",
        "DELETE FROM job WHERE workflow_id = ?",
    ),
    Sql::new(
        "workflow.delete.ro_crate",
        "DELETE FROM ro_crate_entity WHERE workflow_id = ?",
    ),
    Sql::new(
        "workflow.delete.files",
        "DELETE FROM file WHERE workflow_id = ?",
    ),
    Sql::new(
        "workflow.delete.user_data",
        "DELETE FROM user_data WHERE workflow_id = ?",
    ),
    Sql::new(
        "workflow.delete.tasks",
        "DELETE FROM async_handle WHERE workflow_id = ?",
    ),
    Sql::new(
        "workflow.delete.events",
        "DELETE FROM event WHERE workflow_id = ?",
    ),
];

/// The part of a workflow that decides what its jobs may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkflowState {
    /// The current run.
    pub run_id: i64,
    /// It was cancelled.
    pub is_canceled: bool,
    /// It was put away.
    pub is_archived: bool,
    /// A job of the current run ended with a return code other than 0.
    pub has_failures: bool,
    /// Something is to be done when something happens to it.
    pub has_actions: bool,
}

/// Whether the workflow exists.
///
/// # Errors
///
/// What the database says.
pub fn exists(tx: &WriteTx<'_>, id: i64) -> Result<bool, StoreError> {
    Ok(tx.one(EXISTS, [id], |_| Ok(()))?.is_some())
}

/// The workflow's state, if it exists.
///
/// # Errors
///
/// What the database says.
pub fn state(tx: &WriteTx<'_>, id: i64) -> Result<Option<WorkflowState>, StoreError> {
    tx.one(STATE, [id], |row| {
        Ok(WorkflowState {
            run_id: row.get(0)?,
            is_canceled: row.get(1)?,
            is_archived: row.get(2)?,
            has_failures: row.get(3)?,
            has_actions: row.get(4)?,
        })
    })
}

/// Marks the workflow as cancelled.
///
/// # Errors
///
/// What the database says.
pub fn set_canceled(tx: &WriteTx<'_>, id: i64) -> Result<(), StoreError> {
    tx.execute(SET_CANCELED, [id])?;
    Ok(())
}

/// Puts the workflow away or takes it out; either way its failures are forgotten.
///
/// # Errors
///
/// What the database says.
pub fn set_archived(tx: &WriteTx<'_>, id: i64, archived: bool) -> Result<(), StoreError> {
    tx.execute(SET_ARCHIVED, params![id, archived])?;
    Ok(())
}

/// Begins the next run.
///
/// # Errors
///
/// What the database says.
pub fn next_run(tx: &WriteTx<'_>, id: i64) -> Result<(), StoreError> {
    tx.execute(NEXT_RUN, [id])?;
    Ok(())
}

/// Remembers, or forgets, that a job of this run ended with a failure.
///
/// # Errors
///
/// What the database says.
pub fn set_failures(tx: &WriteTx<'_>, id: i64, failed: bool) -> Result<(), StoreError> {
    tx.execute(SET_FAILURES, params![id, failed])?;
    Ok(())
}

/// The id of the group with this name.
///
/// # Errors
///
/// What the database says.
pub fn group_id(tx: &WriteTx<'_>, name: &str) -> Result<Option<i64>, StoreError> {
    tx.one(GROUP_BY_NAME, [name], |row| row.get(0))
}

/// Lets a group see a workflow.
///
/// # Errors
///
/// What the database says.
pub fn link_group(tx: &WriteTx<'_>, workflow_id: i64, group_id: i64) -> Result<(), StoreError> {
    tx.execute(LINK_GROUP, [workflow_id, group_id])?;
    Ok(())
}

/// The whole workflow.
///
/// # Errors
///
/// What the database says.
pub fn get(tx: &WriteTx<'_>, id: i64) -> Result<Option<WorkflowModel>, StoreError> {
    let Some(row) = rows::get::<workflow::Model>(tx, id)? else {
        return Ok(None);
    };
    let groups = tx.all(GROUPS, [id], |row| row.get(0))?;
    to_wire(row, groups).map(Some)
}

/// Adds a workflow; answers its id.
///
/// # Errors
///
/// What the database says.
pub fn insert(tx: &WriteTx<'_>, model: &WorkflowModel) -> Result<i64, StoreError> {
    rows::insert(tx, &from_wire(model)?)
}

/// Stores what `model` says in place of what was there; keeps the failure flag.
///
/// # Errors
///
/// What the database says.
pub fn update(tx: &WriteTx<'_>, id: i64, model: &WorkflowModel) -> Result<(), StoreError> {
    let Some(stored) = rows::get::<workflow::Model>(tx, id)? else {
        return Ok(());
    };
    let row = workflow::Model {
        id,
        has_failures: stored.has_failures,
        slurm_config: stored.slurm_config,
        ..from_wire(model)?
    };
    rows::update(tx, &row)
}

/// Removes a workflow and all that belongs to it, the many rows first.
///
/// # Errors
///
/// What the database says.
pub fn delete(tx: &WriteTx<'_>, id: i64) -> Result<(), StoreError> {
    for sql in DELETE_CHILDREN {
        tx.execute(sql, [id])?;
    }
    rows::delete::<workflow::Model>(tx, id)?;
    Ok(())
}

/// Whether the workflow exists, for readers.
///
/// # Errors
///
/// What the database says.
pub async fn read_exists(conn: &ReadConn, id: i64) -> Result<bool, StoreError> {
    let found: Option<i64> = Entity::find_by_id(id)
        .select_only()
        .column(Column::Id)
        .into_tuple()
        .one(conn)
        .await?;
    Ok(found.is_some())
}

/// The whole workflow, for readers.
///
/// # Errors
///
/// What the database says.
pub async fn read(conn: &ReadConn, id: i64) -> Result<Option<WorkflowModel>, StoreError> {
    let Some(row) = Entity::find_by_id(id).one(conn).await? else {
        return Ok(None);
    };
    let groups = groups_of(conn, &[id]).await?;
    to_wire(row, groups.into_iter().map(|(_, name)| name).collect()).map(Some)
}

/// Group names of these workflows, sorted by name. Few workflows have any.
pub(super) async fn groups_of(
    conn: &ReadConn,
    ids: &[i64],
) -> Result<Vec<(i64, String)>, StoreError> {
    let mut links: Vec<(i64, i64)> = Vec::new();
    for some in ids.chunks(10_000) {
        links.extend(
            workflow_access_group::Entity::find()
                .select_only()
                .column(workflow_access_group::Column::WorkflowId)
                .column(workflow_access_group::Column::GroupId)
                .filter(workflow_access_group::Column::WorkflowId.is_in(some.iter().copied()))
                .into_tuple::<(i64, i64)>()
                .all(conn)
                .await?,
        );
    }
    if links.is_empty() {
        return Ok(Vec::new());
    }
    let groups = access_group::Entity::find()
        .order_by_asc(access_group::Column::Name)
        .all(conn)
        .await?;
    Ok(groups
        .into_iter()
        .flat_map(|group| {
            links
                .iter()
                .filter(move |(_, id)| *id == group.id)
                .map(|(workflow, _)| (*workflow, group.name.clone()))
                .collect::<Vec<_>>()
        })
        .collect())
}

pub(super) fn to_wire(
    row: workflow::Model,
    groups: Vec<String>,
) -> Result<WorkflowModel, StoreError> {
    Ok(WorkflowModel {
        id: Some(row.id),
        name: row.name,
        user: row.user,
        description: row.description,
        env: from_json("workflow.env", row.env.as_deref())?,
        timestamp: Some(row.timestamp),
        compute_node_expiration_buffer_seconds: row.compute_node_expiration_buffer_seconds,
        compute_node_wait_for_new_jobs_seconds: Some(row.compute_node_wait_for_new_jobs_seconds),
        compute_node_ignore_workflow_completion: Some(row.compute_node_ignore_workflow_completion),
        compute_node_wait_for_healthy_database_minutes: Some(
            row.compute_node_wait_for_healthy_database_minutes,
        ),
        compute_node_min_time_for_new_jobs_seconds: Some(
            row.compute_node_min_time_for_new_jobs_seconds,
        ),
        resource_monitor_config: from_json(
            "workflow.resource_monitor_config",
            row.resource_monitor_config.as_deref(),
        )?,
        slurm_defaults: from_json("workflow.slurm_defaults", row.slurm_defaults.as_deref())?,
        use_pending_failed: row.use_pending_failed,
        enable_ro_crate: row.enable_ro_crate,
        project: row.project,
        metadata: from_json("workflow.metadata", row.metadata.as_deref())?,
        execution_config: from_json("workflow.execution_config", row.execution_config.as_deref())?,
        dynamic_jobs: from_json("workflow.dynamic_jobs", row.dynamic_jobs.as_deref())?,
        submission_directory: row.submission_directory,
        access_groups: (!groups.is_empty()).then_some(groups),
        run_id: Some(row.run_id),
        is_canceled: Some(row.is_canceled),
        is_archived: Some(row.is_archived),
    })
}

fn from_wire(model: &WorkflowModel) -> Result<workflow::Model, StoreError> {
    Ok(workflow::Model {
        id: 0,
        name: model.name.clone(),
        description: model.description.clone(),
        user: model.user.clone(),
        timestamp: model.timestamp.clone().unwrap_or_default(),
        is_archived: model.is_archived.unwrap_or(false),
        compute_node_expiration_buffer_seconds: model.compute_node_expiration_buffer_seconds,
        compute_node_wait_for_new_jobs_seconds: model
            .compute_node_wait_for_new_jobs_seconds
            .unwrap_or(90),
        compute_node_ignore_workflow_completion: model
            .compute_node_ignore_workflow_completion
            .unwrap_or(false),
        compute_node_wait_for_healthy_database_minutes: model
            .compute_node_wait_for_healthy_database_minutes
            .unwrap_or(20),
        compute_node_min_time_for_new_jobs_seconds: model
            .compute_node_min_time_for_new_jobs_seconds
            .unwrap_or(300),
        resource_monitor_config: to_json(
            "resource_monitor_config",
            model.resource_monitor_config.as_ref(),
        )?,
        slurm_defaults: to_json("slurm_defaults", model.slurm_defaults.as_ref())?,
        use_pending_failed: model.use_pending_failed,
        enable_ro_crate: model.enable_ro_crate,
        project: model.project.clone(),
        metadata: to_json("metadata", model.metadata.as_ref())?,
        slurm_config: None,
        execution_config: to_json("execution_config", model.execution_config.as_ref())?,
        env: to_json("env", model.env.as_ref().filter(|env| !env.is_empty()))?,
        run_id: model.run_id.unwrap_or(0),
        is_canceled: model.is_canceled.unwrap_or(false),
        dynamic_jobs: to_json("dynamic_jobs", model.dynamic_jobs.as_ref())?,
        submission_directory: model.submission_directory.clone(),
        has_failures: false,
    })
}

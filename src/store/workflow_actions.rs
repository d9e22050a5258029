//! Workflow actions, and the counting of what they wait for.

use entity::workflow_action::{self as table, Column, Entity};
use rusqlite::params;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

use super::convert::{from_json, to_json};
use super::rows::{self, table};
use super::sql::Sql;
use super::{ReadConn, StoreError, WriteTx};
use crate::wire::workflow_actions::WorkflowActionModel;

table!(
    "workflow_action",
    table::Model,
    [
        workflow_id,
        trigger_type,
        action_type,
        action_config,
        job_ids,
        trigger_count,
        required_triggers,
        executed,
        executed_at,
        executed_by,
        persistent,
        is_recovery,
    ]
);

const CLAIM: Sql = Sql::new(
    "workflow_action.claim",
    "UPDATE workflow_action SET executed = 1, executed_at = ?2, executed_by = ?3 \
     WHERE id = ?1 AND executed = 0",
);
const CLAIM_PERSISTENT: Sql = Sql::new(
    "workflow_action.claim_persistent",
    "UPDATE workflow_action SET executed_at = ?2 WHERE id = ?1",
);
pub(super) const ADVANCE_BY_JOB: Sql = Sql::new(
    "workflow_action.advance_by_job",
    "UPDATE workflow_action SET trigger_count = trigger_count + 1 \
     WHERE id IN (SELECT action_id FROM workflow_action_job WHERE job_id = ?1) \
       AND trigger_type = ?2 AND trigger_count < required_triggers",
);
const ADVANCE_ALL: Sql = Sql::new(
    "workflow_action.advance_all",
    "UPDATE workflow_action SET trigger_count = trigger_count + 1 \
     WHERE workflow_id = ?1 AND trigger_type = ?2 AND trigger_count < required_triggers",
);
const FORGET_RECOVERY: Sql = Sql::new(
    "workflow_action.forget_recovery",
    "DELETE FROM workflow_action WHERE workflow_id = ? AND is_recovery <> 0",
);
/// How many of its jobs have ended and how many are ready, for each action; 0 for those
/// that wait for no jobs.
const SATISFIED: Sql = Sql::new(
    "workflow_action.satisfied",
    "SELECT a.id, a.trigger_type, a.required_triggers, \
       count(iif(j.status BETWEEN 5 AND 8, 1, NULL)), count(iif(j.status = 2, 1, NULL)) \
     FROM workflow_action a LEFT JOIN workflow_action_job l ON l.action_id = a.id \
     LEFT JOIN job j ON j.id = l.job_id WHERE a.workflow_id = ? GROUP BY a.id",
);
const RESET: Sql = Sql::new(
    "workflow_action.reset",
    "UPDATE workflow_action SET trigger_count = ?2, executed = executed AND ?3, \
     executed_by = iif(?3, executed_by, NULL) WHERE id = ?1",
);
const OTHERS_JOB: Sql = Sql::new(
    "workflow_action.job_of_another",
    "SELECT l.value FROM json_each(?2) l \
     WHERE NOT EXISTS (SELECT 1 FROM job WHERE id = l.value AND workflow_id = ?1) LIMIT 1",
);

fn to_wire(row: table::Model) -> Result<WorkflowActionModel, StoreError> {
    Ok(WorkflowActionModel {
        id: Some(row.id),
        workflow_id: row.workflow_id,
        trigger_type: row.trigger_type,
        action_type: row.action_type,
        action_config: from_json("workflow_action.action_config", Some(&row.action_config))?
            .unwrap_or_default(),
        job_ids: from_json("workflow_action.job_ids", row.job_ids.as_deref())?,
        trigger_count: row.trigger_count,
        required_triggers: row.required_triggers,
        executed: row.executed,
        executed_at: row.executed_at,
        executed_by: row.executed_by,
        persistent: row.persistent,
        is_recovery: row.is_recovery,
    })
}

fn from_wire(id: i64, model: &WorkflowActionModel) -> Result<table::Model, StoreError> {
    Ok(table::Model {
        id,
        workflow_id: model.workflow_id,
        trigger_type: model.trigger_type.clone(),
        action_type: model.action_type.clone(),
        action_config: to_json("workflow_action.action_config", Some(&model.action_config))?
            .unwrap_or_default(),
        job_ids: to_json("workflow_action.job_ids", model.job_ids.as_ref())?,
        trigger_count: model.trigger_count,
        required_triggers: model.required_triggers,
        executed: model.executed,
        executed_at: model.executed_at.clone(),
        executed_by: model.executed_by,
        persistent: model.persistent,
        is_recovery: model.is_recovery,
    })
}

/// Adds an action; answers its id.
///
/// # Errors
///
/// What the database says.
pub fn insert(tx: &WriteTx<'_>, model: &WorkflowActionModel) -> Result<i64, StoreError> {
    rows::insert(tx, &from_wire(0, model)?)
}

/// One action.
///
/// # Errors
///
/// What the database says.
pub fn get(tx: &WriteTx<'_>, id: i64) -> Result<Option<WorkflowActionModel>, StoreError> {
    rows::get::<table::Model>(tx, id)?.map(to_wire).transpose()
}

/// Replaces an action.
///
/// # Errors
///
/// What the database says.
pub fn update(tx: &WriteTx<'_>, id: i64, model: &WorkflowActionModel) -> Result<(), StoreError> {
    rows::update(tx, &from_wire(id, model)?)
}

/// Removes an action.
///
/// # Errors
///
/// What the database says.
pub fn delete(tx: &WriteTx<'_>, id: i64) -> Result<(), StoreError> {
    rows::delete::<table::Model>(tx, id)?;
    Ok(())
}

/// A job of the list that is none of the workflow's.
///
/// # Errors
///
/// What the database says.
pub fn foreign_job(
    tx: &WriteTx<'_>,
    workflow_id: i64,
    job_ids: &[i64],
) -> Result<Option<i64>, StoreError> {
    let list = to_json("workflow_action.job_ids", Some(&job_ids))?;
    tx.one(OTHERS_JOB, params![workflow_id, list], |row| row.get(0))
}

/// Marks an action as claimed by a node; says whether nobody had claimed it.
///
/// # Errors
///
/// What the database says.
pub fn claim(
    tx: &WriteTx<'_>,
    id: i64,
    persistent: bool,
    now: &str,
    compute_node_id: Option<i64>,
) -> Result<bool, StoreError> {
    let changed = if persistent {
        tx.execute(CLAIM_PERSISTENT, params![id, now])?
    } else {
        tx.execute(CLAIM, params![id, now, compute_node_id])?
    };
    Ok(changed > 0)
}

/// Counts for the actions of this trigger that wait for a job that it happened to it.
///
/// # Errors
///
/// What the database says.
pub fn advance_by_job(tx: &WriteTx<'_>, job_id: i64, trigger: &str) -> Result<(), StoreError> {
    tx.execute(ADVANCE_BY_JOB, params![job_id, trigger])?;
    Ok(())
}

/// Counts for all actions of this trigger of a workflow that it happened.
///
/// # Errors
///
/// What the database says.
pub fn advance_all(tx: &WriteTx<'_>, workflow_id: i64, trigger: &str) -> Result<(), StoreError> {
    tx.execute(ADVANCE_ALL, params![workflow_id, trigger])?;
    Ok(())
}

/// Removes what was made for one recovery.
///
/// # Errors
///
/// What the database says.
pub fn forget_recovery(tx: &WriteTx<'_>, workflow_id: i64) -> Result<(), StoreError> {
    tx.execute(FORGET_RECOVERY, [workflow_id])?;
    Ok(())
}

/// How the jobs of an action are.
pub struct Satisfied {
    /// The action.
    pub id: i64,
    /// Its trigger.
    pub trigger_type: String,
    /// How often it must happen.
    pub required_triggers: i64,
    /// Its jobs that have ended.
    pub ended: i64,
    /// Its jobs that are ready.
    pub ready: i64,
}

/// How the jobs of each action of a workflow are.
///
/// # Errors
///
/// What the database says.
pub fn satisfied(tx: &WriteTx<'_>, workflow_id: i64) -> Result<Vec<Satisfied>, StoreError> {
    tx.all(SATISFIED, [workflow_id], |row| {
        Ok(Satisfied {
            id: row.get(0)?,
            trigger_type: row.get(1)?,
            required_triggers: row.get(2)?,
            ended: row.get(3)?,
            ready: row.get(4)?,
        })
    })
}

/// Sets the count of an action, and makes it claimable again unless it is to be kept.
///
/// # Errors
///
/// What the database says.
pub fn reset(tx: &WriteTx<'_>, id: i64, count: i64, kept: bool) -> Result<(), StoreError> {
    tx.execute(RESET, params![id, count, kept])?;
    Ok(())
}

/// The actions of a workflow, by id.
///
/// # Errors
///
/// What the database says.
pub async fn list(
    conn: &ReadConn,
    workflow_id: i64,
) -> Result<Vec<WorkflowActionModel>, StoreError> {
    let rows = Entity::find()
        .filter(Column::WorkflowId.eq(workflow_id))
        .order_by_asc(Column::Id);
    rows.all(conn).await?.into_iter().map(to_wire).collect()
}

/// The actions of a workflow that may be claimed now, of these triggers if there are any.
///
/// # Errors
///
/// What the database says.
pub async fn pending(
    conn: &ReadConn,
    workflow_id: i64,
    triggers: &[String],
) -> Result<Vec<WorkflowActionModel>, StoreError> {
    let mut rows = Entity::find()
        .filter(Column::WorkflowId.eq(workflow_id))
        .filter(Column::Executed.eq(false))
        .filter(Expr::col(Column::TriggerCount).gte(Expr::col(Column::RequiredTriggers)));
    if !triggers.is_empty() {
        rows = rows.filter(Column::TriggerType.is_in(triggers));
    }
    let rows = rows.order_by_asc(Column::Id).all(conn).await?;
    rows.into_iter().map(to_wire).collect()
}

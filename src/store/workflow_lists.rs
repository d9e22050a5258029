//! Lists of workflows: those that their caller may see.

use entity::workflow::{Column, Entity};
use entity::{access_group, user_group_membership, workflow_access_group};
use sea_orm::sea_query::{ExprTrait, SelectStatement};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect, QueryTrait};

use super::paging::{contains, page};
use super::workflows::{groups_of, to_wire};
use super::{ReadConn, StoreError};
use crate::wire::page::{Page, Paging};
use crate::wire::workflows::{ListWorkflowsQuery, WorkflowModel};

/// Which workflows a list is about.
#[derive(Debug, Clone, Copy)]
pub enum Visible<'a> {
    /// All of them.
    All,
    /// Those that this user may use.
    To(&'a str),
}

/// A page of workflows.
///
/// # Errors
///
/// What the database says.
pub async fn list(
    conn: &ReadConn,
    query: &ListWorkflowsQuery,
    visible: Visible<'_>,
    paging: &Paging,
) -> Result<Page<WorkflowModel>, StoreError> {
    let mut select = Entity::find();
    if let Visible::To(user) = visible {
        select = select.filter(
            Column::User
                .eq(user)
                .or(Column::Id.in_subquery(shared(user))),
        );
    }
    if let Some(name) = &query.name {
        select = select.filter(Column::Name.eq(name));
    }
    if let Some(user) = &query.user {
        select = select.filter(Column::User.eq(user));
    }
    if let Some(description) = &query.description {
        select = select.filter(contains(Column::Description, description));
    }
    if let Some(archived) = query.is_archived {
        select = select.filter(Column::IsArchived.eq(archived));
    }
    if let Some(group) = &query.access_group {
        let named = access_group::Entity::find()
            .select_only()
            .column(access_group::Column::Id)
            .filter(access_group::Column::Name.eq(group));
        select = select.filter(Column::Id.in_subquery(of_groups(named.into_query())));
    }
    let found = page(conn, select, None, paging, Column::Id, |name| {
        name != "has_failures"
    })
    .await?;
    let ids: Vec<i64> = found.rows.iter().map(|row| row.id).collect();
    let groups = groups_of(conn, &ids).await?;
    let items = found
        .rows
        .into_iter()
        .map(|row| {
            let names = groups
                .iter()
                .filter(|(id, _)| *id == row.id)
                .map(|(_, name)| name.clone())
                .collect();
            to_wire(row, names)
        })
        .collect::<Result<_, _>>()?;
    Ok(Page::new(items, paging.offset, found.total))
}

/// Workflows that a group of the user's may use.
fn shared(user: &str) -> SelectStatement {
    let theirs = user_group_membership::Entity::find()
        .select_only()
        .column(user_group_membership::Column::GroupId)
        .filter(user_group_membership::Column::UserName.eq(user));
    of_groups(theirs.into_query())
}

/// Workflows that one of these groups may use.
fn of_groups(groups: SelectStatement) -> SelectStatement {
    workflow_access_group::Entity::find()
        .select_only()
        .column(workflow_access_group::Column::WorkflowId)
        .filter(workflow_access_group::Column::GroupId.in_subquery(groups))
        .into_query()
}

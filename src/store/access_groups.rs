//! Access groups, their members and their workflows.

use entity::{access_group, user_group_membership, workflow_access_group};
use rusqlite::params;
use sea_orm::{
    ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
    Select,
};

use super::rows::{self, table};
use super::sql::Sql;
use super::{ReadConn, StoreError, WriteTx};
use crate::wire::access_groups::{
    AccessGroupModel, UserGroupMembershipModel, WorkflowAccessGroupModel,
};

table!(
    "access_group",
    access_group::Model,
    [name, description, created_at, is_system]
);
table!(
    "user_group_membership",
    user_group_membership::Model,
    [user_name, group_id, role, created_at]
);

const INSERT: Sql = Sql::new(
    "access_group.insert_now",
    "INSERT INTO access_group (name, description, is_system) VALUES (?, ?, ?)",
);
const INSERT_MEMBER: Sql = Sql::new(
    "user_group_membership.insert_now",
    "INSERT INTO user_group_membership (user_name, group_id, role) VALUES (?, ?, ?)",
);
const FIND_MEMBER: Sql = Sql::new(
    "user_group_membership.find",
    "SELECT id FROM user_group_membership WHERE user_name = ? AND group_id = ?",
);
const MEMBERS: Sql = Sql::new(
    "user_group_membership.of_group",
    "SELECT id, user_name, role FROM user_group_membership WHERE group_id = ?",
);
const SYSTEM_GROUP: Sql = Sql::new(
    "access_group.system",
    "SELECT id, is_system FROM access_group WHERE name = ?",
);
const MAKE_SYSTEM: Sql = Sql::new(
    "access_group.make_system",
    "UPDATE access_group SET is_system = 1 WHERE id = ?",
);
const LINK: Sql = Sql::new(
    "workflow_access_group.link",
    "INSERT INTO workflow_access_group (workflow_id, group_id) VALUES (?, ?)",
);
const LINKED: Sql = Sql::new(
    "workflow_access_group.linked",
    "SELECT created_at FROM workflow_access_group WHERE workflow_id = ? AND group_id = ?",
);
const UNLINK: Sql = Sql::new(
    "workflow_access_group.unlink",
    "DELETE FROM workflow_access_group WHERE workflow_id = ? AND group_id = ?",
);

/// A group, and whether the configuration manages it.
pub struct Group {
    /// As it is on the wire.
    pub model: AccessGroupModel,
    /// Nobody may change it by a request.
    pub is_system: bool,
}

fn group(row: access_group::Model) -> Group {
    Group {
        model: AccessGroupModel {
            id: Some(row.id),
            name: row.name,
            description: row.description,
            created_at: Some(row.created_at),
        },
        is_system: row.is_system,
    }
}

fn member(row: user_group_membership::Model) -> UserGroupMembershipModel {
    UserGroupMembershipModel {
        id: Some(row.id),
        user_name: row.user_name,
        group_id: row.group_id,
        role: row.role,
        created_at: Some(row.created_at),
    }
}

/// Adds a group; answers its id.
///
/// # Errors
///
/// A name that is taken; what the database says.
pub fn insert(
    tx: &WriteTx<'_>,
    name: &str,
    description: Option<&str>,
    is_system: bool,
) -> Result<i64, StoreError> {
    tx.execute(INSERT, params![name, description, is_system])?;
    Ok(tx.last_id())
}

/// One group.
///
/// # Errors
///
/// What the database says.
pub fn get(tx: &WriteTx<'_>, id: i64) -> Result<Option<Group>, StoreError> {
    Ok(rows::get::<access_group::Model>(tx, id)?.map(group))
}

/// Removes a group with its memberships and links.
///
/// # Errors
///
/// What the database says.
pub fn delete(tx: &WriteTx<'_>, id: i64) -> Result<(), StoreError> {
    rows::delete::<access_group::Model>(tx, id)?;
    Ok(())
}

/// The id of the group of this name that the configuration manages, made if it is missing.
///
/// # Errors
///
/// What the database says.
pub fn system_group(tx: &WriteTx<'_>, name: &str, description: &str) -> Result<i64, StoreError> {
    let found = tx.one(SYSTEM_GROUP, [name], |row| Ok((row.get(0)?, row.get(1)?)))?;
    match found {
        None => insert(tx, name, Some(description), true),
        Some((id, true)) => Ok(id),
        Some((id, false)) => {
            tx.execute(MAKE_SYSTEM, [id])?;
            Ok(id)
        }
    }
}

/// Adds a user to a group.
///
/// # Errors
///
/// One that is in it; what the database says.
pub fn add_member(
    tx: &WriteTx<'_>,
    group_id: i64,
    user_name: &str,
    role: &str,
) -> Result<Option<UserGroupMembershipModel>, StoreError> {
    tx.execute(INSERT_MEMBER, params![user_name, group_id, role])?;
    let id = tx.last_id();
    Ok(rows::get::<user_group_membership::Model>(tx, id)?.map(member))
}

/// A user of a group.
///
/// # Errors
///
/// What the database says.
pub fn get_member(
    tx: &WriteTx<'_>,
    group_id: i64,
    user_name: &str,
) -> Result<Option<UserGroupMembershipModel>, StoreError> {
    let id = tx.one(FIND_MEMBER, params![user_name, group_id], |row| row.get(0))?;
    let Some(id) = id else { return Ok(None) };
    Ok(rows::get::<user_group_membership::Model>(tx, id)?.map(member))
}

/// Takes a membership away.
///
/// # Errors
///
/// What the database says.
pub fn remove_member(tx: &WriteTx<'_>, id: i64) -> Result<(), StoreError> {
    rows::delete::<user_group_membership::Model>(tx, id)?;
    Ok(())
}

/// The members of a group: id, user and role.
///
/// # Errors
///
/// What the database says.
pub fn members(tx: &WriteTx<'_>, group_id: i64) -> Result<Vec<(i64, String, String)>, StoreError> {
    tx.all(MEMBERS, [group_id], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?))
    })
}

/// Lets a group use a workflow.
///
/// # Errors
///
/// One that it may use; what the database says.
pub fn link(tx: &WriteTx<'_>, workflow_id: i64, group_id: i64) -> Result<(), StoreError> {
    tx.execute(LINK, [workflow_id, group_id])?;
    Ok(())
}

/// The link of a group to a workflow.
///
/// # Errors
///
/// What the database says.
pub fn linked(
    tx: &WriteTx<'_>,
    workflow_id: i64,
    group_id: i64,
) -> Result<Option<WorkflowAccessGroupModel>, StoreError> {
    let created_at = tx.one(LINKED, [workflow_id, group_id], |row| row.get(0))?;
    Ok(created_at.map(|created_at| WorkflowAccessGroupModel {
        workflow_id,
        group_id,
        created_at,
    }))
}

/// Takes a workflow away from a group.
///
/// # Errors
///
/// What the database says.
pub fn unlink(tx: &WriteTx<'_>, workflow_id: i64, group_id: i64) -> Result<(), StoreError> {
    tx.execute(UNLINK, [workflow_id, group_id])?;
    Ok(())
}

/// One group, for readers.
///
/// # Errors
///
/// What the database says.
pub async fn read(conn: &ReadConn, id: i64) -> Result<Option<Group>, StoreError> {
    let row = access_group::Entity::find_by_id(id).one(conn).await?;
    Ok(row.map(group))
}

/// Which groups.
#[derive(Debug, Clone, Copy)]
pub enum Groups<'a> {
    /// All of them.
    All,
    /// Those of a user.
    OfUser(&'a str),
    /// Those that may use a workflow.
    OfWorkflow(i64),
}

/// A page of groups by name, and how many there are.
///
/// # Errors
///
/// What the database says.
pub async fn list(
    conn: &ReadConn,
    which: Groups<'_>,
    (offset, limit): (i64, i64),
) -> Result<(Vec<AccessGroupModel>, i64), StoreError> {
    use access_group::Column;
    let select = access_group::Entity::find();
    let select = match which {
        Groups::All => select,
        Groups::OfUser(user) => {
            let theirs = user_group_membership::Entity::find()
                .select_only()
                .column(user_group_membership::Column::GroupId)
                .filter(user_group_membership::Column::UserName.eq(user));
            select.filter(Column::Id.in_subquery(theirs.into_query()))
        }
        Groups::OfWorkflow(id) => {
            let linked = workflow_access_group::Entity::find()
                .select_only()
                .column(workflow_access_group::Column::GroupId)
                .filter(workflow_access_group::Column::WorkflowId.eq(id));
            select.filter(Column::Id.in_subquery(linked.into_query()))
        }
    };
    let total = count(conn, select.clone()).await?;
    let rows = select
        .order_by_asc(Column::Name)
        .offset(u64::try_from(offset).unwrap_or(0))
        .limit(u64::try_from(limit).unwrap_or(0));
    let rows = rows.all(conn).await?.into_iter();
    Ok((rows.map(|row| group(row).model).collect(), total))
}

/// A page of a group's members by name, and how many there are.
///
/// # Errors
///
/// What the database says.
pub async fn list_members(
    conn: &ReadConn,
    group_id: i64,
    (offset, limit): (i64, i64),
) -> Result<(Vec<UserGroupMembershipModel>, i64), StoreError> {
    use user_group_membership::Column;
    let select = user_group_membership::Entity::find().filter(Column::GroupId.eq(group_id));
    let total = count(conn, select.clone()).await?;
    let rows = select
        .order_by_asc(Column::UserName)
        .offset(u64::try_from(offset).unwrap_or(0))
        .limit(u64::try_from(limit).unwrap_or(0));
    Ok((
        rows.all(conn).await?.into_iter().map(member).collect(),
        total,
    ))
}

async fn count<E>(conn: &ReadConn, select: Select<E>) -> Result<i64, StoreError>
where
    E: EntityTrait,
    E::Model: Sync,
{
    Ok(i64::try_from(select.count(conn).await?).unwrap_or(i64::MAX))
}

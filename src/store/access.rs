//! Who may use what, as far as rows say it.

use sea_orm::{ConnectionTrait, Statement};

use super::{ReadConn, StoreError};

/// How a user stands to a workflow.
pub struct Standing {
    /// The workflow.
    pub workflow_id: i64,
    /// It is the user's own.
    pub owner: bool,
    /// A group of the user's may use it.
    pub member: bool,
}

/// How `user` stands to the workflow with this id, or to that of a row of `table`; none if
/// there is no such workflow or row.
///
/// # Errors
///
/// What the database says.
pub async fn standing(
    conn: &ReadConn,
    table: Option<&'static str>,
    id: i64,
    user: &str,
) -> Result<Option<Standing>, StoreError> {
    let workflow = match table {
        None => "?1".to_owned(),
        Some(table) => format!("(SELECT workflow_id FROM {table} WHERE id = ?1)"),
    };
    let text = format!(
        "SELECT w.id, w.user = ?2, EXISTS (SELECT 1 FROM workflow_access_group l \
           JOIN user_group_membership m ON m.group_id = l.group_id \
          WHERE l.workflow_id = w.id AND m.user_name = ?2) \
         FROM workflow w WHERE w.id = {workflow}"
    );
    let values = [id.into(), user.into()];
    let statement = Statement::from_sql_and_values(conn.get_database_backend(), text, values);
    let Some(row) = conn.query_one_raw(statement).await? else {
        return Ok(None);
    };
    Ok(Some(Standing {
        workflow_id: row.try_get_by_index(0)?,
        owner: row.try_get_by_index(1)?,
        member: row.try_get_by_index(2)?,
    }))
}

/// Whether a user is an admin of a group.
///
/// # Errors
///
/// What the database says.
pub async fn is_group_admin(
    conn: &ReadConn,
    group_id: i64,
    user: &str,
) -> Result<bool, StoreError> {
    let statement = Statement::from_sql_and_values(
        conn.get_database_backend(),
        "SELECT 1 FROM user_group_membership \
         WHERE user_name = ?1 AND group_id = ?2 AND role = 'admin'",
        [user.into(), group_id.into()],
    );
    Ok(conn.query_one_raw(statement).await?.is_some())
}

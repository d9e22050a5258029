//! Access groups: who may use workflows besides their owners.

use serde::{Deserialize, Serialize};

use super::page::MAX_LIMIT;

/// A group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessGroupModel {
    /// Set by the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// Its name, unique.
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// When it was made, in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
}

/// A user in a group. The path says which one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserGroupMembershipModel {
    /// Set by the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// The user.
    pub user_name: String,
    /// The group.
    pub group_id: i64,
    /// `member`, or `admin`, who may add and remove others.
    #[serde(default = "member")]
    pub role: String,
    /// Since when, in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
}

fn member() -> String {
    "member".to_owned()
}

/// A workflow that a group may use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkflowAccessGroupModel {
    /// The workflow.
    pub workflow_id: i64,
    /// The group.
    pub group_id: i64,
    /// Since when, in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
}

/// Whether a user may use a workflow, as owner or through a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessCheckResponse {
    /// It may.
    pub has_access: bool,
    /// The user.
    pub user_name: String,
    /// The workflow.
    pub workflow_id: i64,
}

/// One page of groups or members. These lists tell the limit that was asked for, and no
/// count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupPage<T> {
    /// The rows of this page.
    pub items: Vec<T>,
    /// How many rows were skipped.
    pub offset: i64,
    /// How many rows were asked for.
    pub limit: i64,
    /// Rows in all pages.
    pub total_count: i64,
    /// Whether rows come after this page.
    pub has_more: bool,
}

/// Which rows of such a list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupPaging {
    /// Rows to skip.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<i64>,
    /// Rows to return.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
}

impl GroupPaging {
    /// Offset and limit, with the contract's defaults; unchecked.
    pub fn window(self) -> (i64, i64) {
        (self.offset.unwrap_or(0), self.limit.unwrap_or(MAX_LIMIT))
    }
}

impl<T> GroupPage<T> {
    /// The page of `items` at `window` out of `total_count` rows.
    pub fn new(items: Vec<T>, (offset, limit): (i64, i64), total_count: i64) -> Self {
        Self {
            has_more: offset.saturating_add(items.len() as i64) < total_count,
            items,
            offset,
            limit,
            total_count,
        }
    }
}

//! Paging: what every list answers, and the query fields they share.

use serde::{Deserialize, Serialize};

/// The largest page, and the default one.
pub const MAX_LIMIT: i64 = 100_000;

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The rows of this page.
    pub items: Vec<T>,
    /// How many rows were skipped.
    pub offset: i64,
    /// The largest limit the server grants.
    pub max_limit: i64,
    /// Rows in this page.
    pub count: i64,
    /// Rows that match the filters, in all pages.
    pub total_count: i64,
    /// Whether rows come after this page.
    pub has_more: bool,
}

impl<T> Page<T> {
    /// A page of `items`, taken at `offset` out of `total_count` rows.
    pub fn new(items: Vec<T>, offset: i64, total_count: i64) -> Self {
        let count = items.len() as i64;
        Self {
            items,
            offset,
            max_limit: MAX_LIMIT,
            count,
            total_count,
            has_more: offset.saturating_add(count) < total_count,
        }
    }
}

/// Which rows of a list, and in which order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Paging {
    /// Rows to skip, from 0.
    pub offset: i64,
    /// Rows to return, at most [`MAX_LIMIT`].
    pub limit: i64,
    /// A column of the resource; an unknown one counts as `id`.
    pub sort_by: Option<String>,
    /// Descending instead of ascending.
    pub reverse_sort: bool,
}

/// Declares the query of a list: its own filters and the four paging fields.
///
/// serde's `flatten` would turn every number of a query string into text, hence a macro.
macro_rules! list_query {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* pub $field:ident : $kind:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $kind,)*
            /// Rows to skip.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub offset: Option<i64>,
            /// Rows to return.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub limit: Option<i64>,
            /// Column to sort by.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub sort_by: Option<String>,
            /// Descending instead of ascending.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub reverse_sort: Option<bool>,
        }

        impl $name {
            /// The paging part, with the contract's defaults; unchecked.
            pub fn paging(&self) -> $crate::wire::page::Paging {
                $crate::wire::page::Paging {
                    offset: self.offset.unwrap_or(0),
                    limit: self.limit.unwrap_or($crate::wire::page::MAX_LIMIT),
                    sort_by: self.sort_by.clone(),
                    reverse_sort: self.reverse_sort.unwrap_or(false),
                }
            }
        }
    };
}
pub(crate) use list_query;

/// How many rows a bulk delete removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteCountResponse {
    /// Rows removed.
    pub count: i64,
    /// The same, under the name that some collections of the contract use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_count: Option<i64>,
}

/// A bare message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageResponse {
    /// The message.
    pub message: String,
}

/// The workflow that a collection is cleared for.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct WorkflowQuery {
    /// The workflow.
    pub workflow_id: i64,
}

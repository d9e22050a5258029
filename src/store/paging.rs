//! Pages of sea-orm queries: the total, the order, the window.

use sea_orm::sea_query::{Expr, ExprTrait, Func};
use sea_orm::{
    ColumnTrait, EntityTrait, Iden, Iterable, Order, PaginatorTrait, QueryOrder, QuerySelect,
    Select,
};

use super::{ReadConn, StoreError};
use crate::wire::page::Paging;

/// A page of rows and how many rows match in all.
pub struct Rows<M> {
    /// The rows of the page.
    pub rows: Vec<M>,
    /// Rows in all pages.
    pub total: i64,
}

/// Reads one page of `query`, of which `total` rows are known to match or are counted, sorted by a column of the entity that `sortable`
/// accepts, else by `id`; rows of equal keys follow their ids.
///
/// # Errors
///
/// What the database says.
pub async fn page<E>(
    conn: &ReadConn,
    query: Select<E>,
    total: Option<i64>,
    paging: &Paging,
    id: E::Column,
    sortable: impl Fn(&str) -> bool,
) -> Result<Rows<E::Model>, StoreError>
where
    E: EntityTrait,
    E::Model: Sync,
{
    let total = match total {
        Some(total) => total,
        None => i64::try_from(query.clone().count(conn).await?).unwrap_or(i64::MAX),
    };
    let order = if paging.reverse_sort {
        Order::Desc
    } else {
        Order::Asc
    };
    let column = paging
        .sort_by
        .as_deref()
        .filter(|name| sortable(name))
        .and_then(|name| E::Column::iter().find(|column| column.to_string() == name));
    let query = match column {
        Some(column) => query.order_by(column, order.clone()).order_by(id, order),
        None => query.order_by(id, order),
    };
    let rows = query
        .offset(u64::try_from(paging.offset).unwrap_or(0))
        .limit(u64::try_from(paging.limit).unwrap_or(0))
        .all(conn)
        .await?;
    Ok(Rows { rows, total })
}

/// Conditions that together select the rows of these ids, each for a query of its own.
///
/// Ids of a page are mostly neighbours, and then one range does; it may hold some rows
/// more, which the caller passes over. Ids that lie apart are listed.
pub fn among<C: ColumnTrait>(column: C, ids: &[i64]) -> Vec<sea_orm::sea_query::SimpleExpr> {
    /// Bound values of one statement.
    const LISTED: usize = 500;
    let (Some(first), Some(last)) = (ids.iter().min(), ids.iter().max()) else {
        return Vec::new();
    };
    if last.abs_diff(*first) / 4 <= ids.len() as u64 {
        return vec![column.between(*first, *last)];
    }
    ids.chunks(LISTED)
        .map(|some| column.is_in(some.iter().copied()))
        .collect()
}

/// A condition that a text column contains `part`, taken literally, whatever the case of
/// ASCII letters. As SQLite's `LIKE` has it, whose patterns end at 50,000 bytes.
pub fn contains<C: ColumnTrait>(column: C, part: &str) -> sea_orm::sea_query::SimpleExpr {
    let text = Func::lower(Expr::col(column.as_column_ref()));
    let part = Func::lower(Expr::val(part));
    let found = Func::cust("instr").args([Expr::from(text), Expr::from(part)]);
    Expr::from(found).gt(0)
}

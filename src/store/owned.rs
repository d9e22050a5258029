//! Nouns that are rows of a workflow and little else: each names its table and tells how
//! it looks on the wire; how it is read and written stands here once.

use sea_orm::{ColumnTrait, EntityTrait, PrimaryKeyTrait, QueryFilter, Select};

use super::paging::page;
use super::rows::{self, Table};
use super::sql::Sql;
use super::{ReadConn, StoreError, WriteTx};
use crate::wire::page::{Page, Paging};

/// A noun with a table of its own, whose rows belong to a workflow each.
pub trait Owned: Sized + Send + 'static {
    /// Its row.
    type Row: Table + Send + Sync;
    /// Its table, for readers.
    type Entity: EntityTrait<Model = Self::Row, PrimaryKey: PrimaryKeyTrait<ValueType = i64>>;

    /// Removes all of one workflow; the parameter is its id.
    const DELETE_ALL: Sql;

    /// The column of the workflow.
    fn workflow_column() -> <Self::Entity as EntityTrait>::Column;
    /// The column of the key.
    fn id_column() -> <Self::Entity as EntityTrait>::Column;
    /// A row as it is on the wire.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] where a stored value cannot be understood.
    fn from_row(row: Self::Row) -> Result<Self, StoreError>;
    /// The row that it is stored as, under this id.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] where a value has no stored form.
    fn to_row(&self, id: i64) -> Result<Self::Row, StoreError>;
}

/// Adds a row; answers its id.
///
/// # Errors
///
/// What the database says.
pub fn insert<N: Owned>(tx: &WriteTx<'_>, model: &N) -> Result<i64, StoreError> {
    rows::insert(tx, &model.to_row(0)?)
}

/// One row.
///
/// # Errors
///
/// What the database says.
pub fn get<N: Owned>(tx: &WriteTx<'_>, id: i64) -> Result<Option<N>, StoreError> {
    rows::get::<N::Row>(tx, id)?.map(N::from_row).transpose()
}

/// Replaces a row.
///
/// # Errors
///
/// What the database says.
pub fn update<N: Owned>(tx: &WriteTx<'_>, id: i64, model: &N) -> Result<(), StoreError> {
    rows::update(tx, &model.to_row(id)?)
}

/// Removes a row.
///
/// # Errors
///
/// What the database says.
pub fn delete<N: Owned>(tx: &WriteTx<'_>, id: i64) -> Result<(), StoreError> {
    rows::delete::<N::Row>(tx, id)?;
    Ok(())
}

/// Removes all rows of a workflow; answers how many.
///
/// # Errors
///
/// What the database says.
pub fn delete_all<N: Owned>(tx: &WriteTx<'_>, workflow_id: i64) -> Result<i64, StoreError> {
    Ok(tx.execute(N::DELETE_ALL, [workflow_id])? as i64)
}

/// One row, for readers.
///
/// # Errors
///
/// What the database says.
pub async fn read<N: Owned>(conn: &ReadConn, id: i64) -> Result<Option<N>, StoreError> {
    let row = N::Entity::find_by_id(id).one(conn).await?;
    row.map(N::from_row).transpose()
}

/// The rows of a workflow, for a list to narrow down.
pub fn of_workflow<N: Owned>(workflow_id: i64) -> Select<N::Entity> {
    N::Entity::find().filter(N::workflow_column().eq(workflow_id))
}

/// A page of what `select` finds.
///
/// # Errors
///
/// What the database says.
pub async fn list<N: Owned>(
    conn: &ReadConn,
    select: Select<N::Entity>,
    paging: &Paging,
) -> Result<Page<N>, StoreError> {
    let found = page(conn, select, None, paging, N::id_column(), |_| true).await?;
    let items = found.rows.into_iter().map(N::from_row);
    Ok(Page::new(
        items.collect::<Result<_, _>>()?,
        paging.offset,
        found.total,
    ))
}

/// Narrows `select` down to rows whose `column` equals `wanted`, if that was asked for.
pub fn equal<E, C, V>(select: Select<E>, column: C, wanted: Option<V>) -> Select<E>
where
    E: EntityTrait,
    C: ColumnTrait,
    V: Into<sea_orm::Value>,
{
    match wanted {
        Some(wanted) => select.filter(column.eq(wanted)),
        None => select,
    }
}

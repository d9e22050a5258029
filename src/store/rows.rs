//! Whole rows for the writer: each table's entity, read and written by position.
//!
//! sea-orm's entities name the columns; this gives the writer's driver the same
//! structs without building SQL text per call.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use rusqlite::types::ToSql;
use rusqlite::{Row, params_from_iter};

use super::sql::Sql;
use super::{StoreError, WriteTx};

/// A table with an integer primary key `id`, which is its first column.
pub trait Table: Sized + 'static {
    /// The table's name.
    const NAME: &'static str;
    /// All columns but `id`, in the order of `values`.
    const COLUMNS: &'static [&'static str];
    /// Reads `id` and then the columns.
    fn read(row: &Row<'_>) -> rusqlite::Result<Self>;
    /// The columns' values, without `id`.
    fn values(&self) -> Vec<&dyn ToSql>;
    /// The primary key.
    fn id(&self) -> i64;
}

/// The statements of one table, made once.
#[derive(Clone, Copy)]
struct Statements {
    get: Sql,
    insert: Sql,
    update: Sql,
    delete: Sql,
}

fn statements<T: Table>() -> Statements {
    static MADE: LazyLock<Mutex<HashMap<&'static str, Statements>>> = LazyLock::new(Mutex::default);
    *MADE
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .entry(T::NAME)
        .or_insert_with(make::<T>)
}

fn make<T: Table>() -> Statements {
    let sql = |operation: &str, text: String| Sql::made(format!("{}.{operation}", T::NAME), text);
    let name = T::NAME;
    let columns = T::COLUMNS.join(", ");
    let marks = vec!["?"; T::COLUMNS.len()].join(", ");
    let sets = T::COLUMNS.join(" = ?, ");
    Statements {
        get: sql(
            "get",
            format!("SELECT id, {columns} FROM {name} WHERE id = ?"),
        ),
        insert: sql(
            "insert",
            format!("INSERT INTO {name} ({columns}) VALUES ({marks})"),
        ),
        update: sql(
            "update",
            format!("UPDATE {name} SET {sets} = ? WHERE id = ?"),
        ),
        delete: sql("delete", format!("DELETE FROM {name} WHERE id = ?")),
    }
}

/// The row with this id.
///
/// # Errors
///
/// What the database says.
pub fn get<T: Table>(tx: &WriteTx<'_>, id: i64) -> Result<Option<T>, StoreError> {
    tx.one(statements::<T>().get, [id], T::read)
}

/// Adds a row; its own id is ignored and the new one returned.
///
/// # Errors
///
/// What the database says.
pub fn insert<T: Table>(tx: &WriteTx<'_>, row: &T) -> Result<i64, StoreError> {
    tx.execute(statements::<T>().insert, params_from_iter(row.values()))?;
    Ok(tx.last_id())
}

/// Replaces the row with the same id.
///
/// # Errors
///
/// What the database says.
pub fn update<T: Table>(tx: &WriteTx<'_>, row: &T) -> Result<(), StoreError> {
    let id = row.id();
    let mut values = row.values();
    values.push(&id);
    tx.execute(statements::<T>().update, params_from_iter(values))?;
    Ok(())
}

/// Removes the row with this id; says whether there was one.
///
/// # Errors
///
/// What the database says.
pub fn delete<T: Table>(tx: &WriteTx<'_>, id: i64) -> Result<bool, StoreError> {
    Ok(tx.execute(statements::<T>().delete, [id])? > 0)
}

/// Declares [`Table`] for an entity's model.
macro_rules! table {
    ($name:literal, $model:ty, [$($column:ident),+ $(,)?]) => {
        impl $crate::store::rows::Table for $model {
            const NAME: &'static str = $name;
            const COLUMNS: &'static [&'static str] = &[$(table!(@name $column)),+];

            fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
                let mut at = 0;
                let id = row.get(at)?;
                $(at += 1; let $column = row.get(at)?;)+
                Ok(Self { id, $($column),+ })
            }

            fn values(&self) -> Vec<&dyn rusqlite::types::ToSql> {
                vec![$(&self.$column),+]
            }

            fn id(&self) -> i64 {
                self.id
            }
        }
    };
    (@name $column:ident) => {
        stringify!($column)
    };
}
pub(crate) use table;

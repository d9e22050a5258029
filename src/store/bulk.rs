//! Many rows of one table at once: inserts of fifty rows to a statement.

use rusqlite::params_from_iter;
use rusqlite::types::ToSql;

use super::sql::Sql;
use super::{StoreError, WriteTx};

/// Rows to one statement. A statement whose table has triggers keeps a journal of its
/// own, with a copy of each page it touches: for one row that costs more than the row.
const MANY: usize = 50;

/// An insert of rows with `N` values each, made once.
pub struct BulkInsert<const N: usize> {
    one: Sql,
    many: Sql,
}

impl<const N: usize> BulkInsert<N> {
    /// `before` goes up to the word `VALUES`; `row` is one row of it, with `N` anonymous
    /// parameters; `after` may say what to do on a conflict. Timed under `id`.
    pub fn new(id: &str, before: &str, row: &str, after: &str) -> Self {
        let text = |rows: usize| {
            let rows = vec![row; rows].join(", ");
            format!("{before} VALUES {rows} {after}")
        };
        Self {
            one: Sql::made(id.to_owned(), text(1)),
            many: Sql::made(format!("{id}_many"), text(MANY)),
        }
    }

    /// Inserts the rows in their order.
    ///
    /// # Errors
    ///
    /// What the database says.
    pub fn run<T>(
        &self,
        tx: &WriteTx<'_>,
        rows: &[T],
        values: impl for<'r> Fn(&'r T) -> [&'r dyn ToSql; N],
    ) -> Result<(), StoreError> {
        let chunks = rows.chunks_exact(MANY);
        let rest = chunks.remainder();
        for chunk in chunks {
            let values = chunk.iter().flat_map(&values);
            tx.execute(self.many, params_from_iter(values))?;
        }
        for row in rest {
            tx.execute(self.one, params_from_iter(values(row)))?;
        }
        Ok(())
    }
}

//! What the writer accepts: one struct for one change.

use super::{Effects, StoreError, WriteTx};

/// A change of the database, parsed and checked as far as is possible without it.
pub trait Command: Send + 'static {
    /// The operation's name, under which its phases are recorded.
    const NAME: &'static str;
    /// What the caller gets.
    type Reply: Send + 'static;
    /// What the caller gets instead.
    type Error: From<StoreError> + Send + 'static;

    /// Writes the change within the open batch. Can be undone by itself: after
    /// an `Err` nothing of it remains.
    ///
    /// # Errors
    ///
    /// The rules' refusals, and what the database says.
    fn apply(self, tx: &WriteTx<'_>, effects: &mut Effects) -> Result<Self::Reply, Self::Error>;

    /// A batch of its own: it touches so many rows that others should not wait inside
    /// its transaction.
    fn alone(&self) -> bool {
        false
    }

    /// Roughly what it weighs in a batch, whose size is bounded: the memory of its texts
    /// and lists.
    fn bytes(&self) -> usize {
        std::mem::size_of_val(self)
    }
}

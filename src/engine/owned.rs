//! What is done to nouns that are rows of a workflow and little else (`store/owned.rs`):
//! one command each to create, change and delete, whatever the noun.

use std::marker::PhantomData;

use super::{Engine, EngineError, Subject, access, check_paging};
use crate::store::owned::{self, Owned};
use crate::store::{Command, Effects, ReadConn, StoreError, WriteTx};
use crate::wire::page::{DeleteCountResponse, Paging};

/// The names of a noun's operations, and the few of its fields that its rules need.
pub(super) trait Noun: Owned + Clone {
    /// Its table, as refusals name it.
    const TABLE: &'static str;
    /// The operation that creates one.
    const CREATE: &'static str;
    /// The operation that changes one.
    const UPDATE: &'static str;
    /// The operation that removes one.
    const DELETE: &'static str;
    /// The operation that removes all of a workflow.
    const DELETE_MANY: &'static str;

    /// The workflow it belongs to.
    fn workflow_id(&self) -> i64;
    /// Where its id goes.
    fn id(&mut self) -> &mut Option<i64>;
    /// What `change` makes of it.
    fn merge(&mut self, change: Self);

    /// Refuses one that refers to what is not there.
    ///
    /// # Errors
    ///
    /// The noun's own.
    fn check(&self, _tx: &WriteTx<'_>) -> Result<(), EngineError> {
        Ok(())
    }

    /// What the world hears of a new one.
    fn created(&self, _effects: &mut Effects) {}

    /// What the database's refusal means.
    fn refused(error: StoreError) -> EngineError {
        error.into()
    }
}

struct Create<N>(N);

impl<N: Noun> Command for Create<N> {
    const NAME: &'static str = N::CREATE;
    type Reply = N;
    type Error = EngineError;

    fn apply(self, tx: &WriteTx<'_>, effects: &mut Effects) -> Result<N, EngineError> {
        let mut model = self.0;
        access::workflow(tx, model.workflow_id())?;
        model.check(tx)?;
        *model.id() = Some(owned::insert(tx, &model).map_err(N::refused)?);
        model.created(effects);
        Ok(model)
    }
}

struct Update<N> {
    id: i64,
    change: N,
}

impl<N: Noun> Command for Update<N> {
    const NAME: &'static str = N::UPDATE;
    type Reply = N;
    type Error = EngineError;

    fn apply(self, tx: &WriteTx<'_>, _: &mut Effects) -> Result<N, EngineError> {
        let mut model: N = stored(tx, self.id)?;
        access::workflow(tx, self.change.workflow_id())?;
        model.merge(self.change);
        model.check(tx)?;
        owned::update(tx, self.id, &model).map_err(N::refused)?;
        Ok(model)
    }
}

struct Delete<N>(i64, PhantomData<N>);

impl<N: Noun> Command for Delete<N> {
    const NAME: &'static str = N::DELETE;
    type Reply = N;
    type Error = EngineError;

    fn apply(self, tx: &WriteTx<'_>, _: &mut Effects) -> Result<N, EngineError> {
        let model: N = stored(tx, self.0)?;
        owned::delete::<N>(tx, self.0)?;
        Ok(model)
    }
}

struct DeleteAll<N>(i64, PhantomData<N>);

impl<N: Noun> Command for DeleteAll<N> {
    const NAME: &'static str = N::DELETE_MANY;
    type Reply = i64;
    type Error = EngineError;

    fn apply(self, tx: &WriteTx<'_>, _: &mut Effects) -> Result<i64, EngineError> {
        access::workflow(tx, self.0)?;
        Ok(owned::delete_all::<N>(tx, self.0)?)
    }

    fn alone(&self) -> bool {
        true
    }
}

/// One row, which must exist.
///
/// # Errors
///
/// An unknown one.
pub(super) fn stored<N: Noun>(tx: &WriteTx<'_>, id: i64) -> Result<N, EngineError> {
    owned::get(tx, id)?.ok_or_else(|| EngineError::not_in(N::TABLE, id))
}

impl Engine {
    /// Creates one.
    pub(super) async fn create_owned<N: Noun>(&self, model: N) -> Result<N, EngineError> {
        self.may_use(Subject::Workflow(model.workflow_id())).await?;
        self.submit(Create(model)).await
    }

    /// Changes one; it may go to another workflow.
    pub(super) async fn update_owned<N: Noun>(&self, id: i64, change: N) -> Result<N, EngineError> {
        self.may_use(Subject::Row(N::TABLE, id)).await?;
        self.may_use(Subject::Workflow(change.workflow_id()))
            .await?;
        self.submit(Update { id, change }).await
    }

    /// Removes one.
    pub(super) async fn delete_owned<N: Noun>(&self, id: i64) -> Result<N, EngineError> {
        self.may_use(Subject::Row(N::TABLE, id)).await?;
        self.submit(Delete(id, PhantomData)).await
    }

    /// Removes all of a workflow.
    pub(super) async fn delete_all_owned<N: Noun>(
        &self,
        workflow_id: i64,
    ) -> Result<DeleteCountResponse, EngineError> {
        self.may_use(Subject::Workflow(workflow_id)).await?;
        let count = self
            .submit(DeleteAll::<N>(workflow_id, PhantomData))
            .await?;
        Ok(DeleteCountResponse {
            count,
            deleted_count: None,
        })
    }

    /// Reads one.
    pub(super) async fn get_owned<N: Noun>(
        &self,
        operation: &'static str,
        id: i64,
    ) -> Result<N, EngineError> {
        self.may_use(Subject::Row(N::TABLE, id)).await?;
        let conn = self.read(operation).await?;
        owned::read(&conn, id)
            .await?
            .ok_or_else(|| EngineError::not_in(N::TABLE, id))
    }

    /// A connection for a page of a workflow's rows.
    pub(super) async fn list_owned(
        &self,
        operation: &'static str,
        workflow_id: i64,
        paging: &Paging,
    ) -> Result<ReadConn, EngineError> {
        self.may_use(Subject::Workflow(workflow_id)).await?;
        check_paging(paging)?;
        let conn = self.read_list(operation).await?;
        access::workflow_read(&conn, workflow_id).await?;
        Ok(conn)
    }
}

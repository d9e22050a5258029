//! RO-Crate entities.

use entity::ro_crate_entity::{self as table, Column, Entity};

use super::convert::{from_json, to_json};
use super::owned::{self, Owned, equal};
use super::rows::table;
use super::sql::Sql;
use super::{ReadConn, StoreError};
use crate::wire::page::{Page, Paging};
use crate::wire::ro_crate_entities::{ListRoCrateEntitiesQuery, RoCrateEntityModel};

table!(
    "ro_crate_entity",
    table::Model,
    [workflow_id, file_id, entity_id, entity_type, metadata]
);

impl Owned for RoCrateEntityModel {
    type Row = table::Model;
    type Entity = Entity;

    const DELETE_ALL: Sql = Sql::new(
        "ro_crate_entity.delete_all",
        "DELETE FROM ro_crate_entity WHERE workflow_id = ?",
    );

    fn workflow_column() -> Column {
        Column::WorkflowId
    }

    fn id_column() -> Column {
        Column::Id
    }

    fn from_row(row: table::Model) -> Result<Self, StoreError> {
        Ok(Self {
            id: Some(row.id),
            workflow_id: row.workflow_id,
            file_id: row.file_id,
            entity_id: row.entity_id,
            entity_type: row.entity_type,
            metadata: from_json("ro_crate_entity.metadata", Some(&row.metadata))?
                .unwrap_or_default(),
        })
    }

    fn to_row(&self, id: i64) -> Result<table::Model, StoreError> {
        Ok(table::Model {
            id,
            workflow_id: self.workflow_id,
            file_id: self.file_id,
            entity_id: self.entity_id.clone(),
            entity_type: self.entity_type.clone(),
            metadata: to_json("ro_crate_entity.metadata", Some(&self.metadata))?
                .unwrap_or_default(),
        })
    }
}

/// A page of a workflow's.
///
/// # Errors
///
/// What the database says.
pub async fn list(
    conn: &ReadConn,
    workflow_id: i64,
    query: &ListRoCrateEntitiesQuery,
    paging: &Paging,
) -> Result<Page<RoCrateEntityModel>, StoreError> {
    let select = owned::of_workflow::<RoCrateEntityModel>(workflow_id);
    let select = equal(select, Column::FileId, query.file_id);
    let select = equal(select, Column::EntityId, query.entity_id.as_deref());
    owned::list(conn, select, paging).await
}

//! tmp
use super::{StoreError, WriteTx};
use crate::wire::resource_requirements::ResourceRequirementsModel;
/// t
pub fn insert(_tx: &WriteTx<'_>, _r: &ResourceRequirementsModel) -> Result<i64, StoreError> {
    Ok(0)
}
/// t
pub fn only_default(_tx: &WriteTx<'_>, _w: i64) -> Result<Option<i64>, StoreError> {
    Ok(None)
}

//! tmp
use super::{StoreError, WriteTx};
use crate::wire::results::ResultModel;
/// t
pub fn insert(_tx: &WriteTx<'_>, _r: &ResultModel, _k: Option<&str>) -> Result<i64, StoreError> {
    Ok(0)
}
/// t
pub fn set_current(_tx: &WriteTx<'_>, _w: i64, _j: i64, _r: i64) -> Result<(), StoreError> {
    Ok(())
}
/// t
pub fn find(
    _tx: &WriteTx<'_>,
    _j: i64,
    _r: i64,
    _a: i64,
) -> Result<Option<(ResultModel, Option<String>)>, StoreError> {
    Ok(None)
}

//! Between text columns and what they hold: statuses, JSON, labels.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::StoreError;
use crate::wire::JobStatus;

/// The status with a stored code.
///
/// # Errors
///
/// [`StoreError::Corrupt`] when there is no such code.
pub fn status(code: i64) -> Result<JobStatus, StoreError> {
    JobStatus::from_code(code).ok_or_else(|| StoreError::Corrupt {
        what: "job.status".to_owned(),
        cause: format!("there is no status with code {code}"),
    })
}

/// What a JSON column holds.
///
/// # Errors
///
/// [`StoreError::Corrupt`] when it does not parse.
pub fn from_json<T: DeserializeOwned>(
    what: &str,
    text: Option<&str>,
) -> Result<Option<T>, StoreError> {
    text.map(|text| {
        serde_json::from_str(text).map_err(|error| StoreError::Corrupt {
            what: what.to_owned(),
            cause: error.to_string(),
        })
    })
    .transpose()
}

/// The text of a JSON column.
///
/// # Errors
///
/// [`StoreError::Corrupt`] when the value has no JSON form.
pub fn to_json<T: Serialize>(what: &str, value: Option<&T>) -> Result<Option<String>, StoreError> {
    value
        .map(|value| {
            serde_json::to_string(value).map_err(|error| StoreError::Corrupt {
                what: what.to_owned(),
                cause: error.to_string(),
            })
        })
        .transpose()
}

/// Labels as they are stored: sorted, each once, as a JSON array; `None` for none.
pub fn labels_to_column(labels: &[String]) -> Option<String> {
    let mut labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    labels.sort_unstable();
    labels.dedup();
    if labels.is_empty() {
        return None;
    }
    serde_json::to_string(&labels).ok()
}

/// Labels of a column: a JSON array, or words joined by commas in a file of
/// another program; none for a null or empty one.
///
/// # Errors
///
/// [`StoreError::Corrupt`] when an array does not parse.
pub fn labels_from_column(text: Option<&str>) -> Result<Vec<String>, StoreError> {
    match text {
        None | Some("") => Ok(Vec::new()),
        Some(text) if text.starts_with('[') => {
            Ok(from_json("labels", Some(text))?.unwrap_or_default())
        }
        Some(text) => Ok(text.split(',').map(str::to_owned).collect()),
    }
}

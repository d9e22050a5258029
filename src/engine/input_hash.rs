//! The input hash: tells whether a job would run with other inputs than last time.
//!
//! It covers command, script, environment, dependencies, the ids of files and
//! user data, and the content of input user data (contract, behaviour 7.8). It is
//! compared with itself only, so its exact bytes are ours, and a mark in front of it
//! tells it from hashes that Torc computed in its own way and left in the file.

use sha2::{Digest, Sha256};

use super::EngineError;
use crate::store::WriteTx;
use crate::store::job_inputs::{self, JobInputs};

/// In front of every hash of ours.
const OURS: &str = "1:";

/// Hexadecimal digits that are stored and compared: 128 bits of SHA-256. Earlier versions
/// stored all 64.
const DIGITS: usize = 32;

/// Stores the current hash of every job of a workflow.
///
/// # Errors
///
/// What the database says.
pub(super) fn store_all(tx: &WriteTx<'_>, workflow_id: i64) -> Result<(), EngineError> {
    each_page(tx, workflow_id, |jobs| {
        let hashes: Vec<_> = jobs.iter().map(|job| (job.id, hash(job))).collect();
        Ok(job_inputs::store_hashes(tx, &hashes)?)
    })
}

/// Jobs whose stored hash differs from their current one, by id.
///
/// # Errors
///
/// What the database says.
pub(super) fn changed(
    tx: &WriteTx<'_>,
    workflow_id: i64,
) -> Result<Vec<(i64, String)>, EngineError> {
    let mut changed = Vec::new();
    each_page(tx, workflow_id, |jobs| {
        let (Some(first), Some(last)) = (jobs.first(), jobs.last()) else {
            return Ok(());
        };
        let stored = job_inputs::stored_hashes(tx, first.id, last.id)?;
        changed.extend(jobs.into_iter().filter_map(|job| {
            let old = stored.get(&job.id)?;
            let old = old.get(..OURS.len() + DIGITS)?;
            (old.starts_with(OURS) && old != hash(&job)).then_some((job.id, job.name))
        }));
        Ok(())
    })?;
    Ok(changed)
}

/// Visits the jobs of a workflow, page by page.
fn each_page(
    tx: &WriteTx<'_>,
    workflow_id: i64,
    mut visit: impl FnMut(Vec<JobInputs>) -> Result<(), EngineError>,
) -> Result<(), EngineError> {
    let mut after = i64::MIN;
    loop {
        let jobs = job_inputs::page(tx, workflow_id, after)?;
        let Some(last) = jobs.last() else {
            return Ok(());
        };
        after = last.id;
        visit(jobs)?;
    }
}

fn hash(job: &JobInputs) -> String {
    let mut sha = Sha256::new();
    // Each part goes in with its length, so that no two jobs share a byte stream.
    let mut part = |bytes: &[u8]| {
        sha.update((bytes.len() as u64).to_le_bytes());
        sha.update(bytes);
    };
    part(job.command.as_bytes());
    part(job.invocation_script.as_deref().unwrap_or("").as_bytes());
    part(job.env.as_deref().unwrap_or("").as_bytes());
    for list in [
        &job.links.depends_on,
        &job.links.input_files,
        &job.links.output_files,
        &job.links.input_user_data,
        &job.links.output_user_data,
    ] {
        let ids: Vec<u8> = list.iter().flat_map(|id| id.to_le_bytes()).collect();
        part(&ids);
    }
    for (id, data) in &job.input_data {
        part(&id.to_le_bytes());
        part(data.as_deref().unwrap_or("").as_bytes());
    }
    let digest = sha.finalize();
    let mut hex = String::with_capacity(OURS.len() + DIGITS);
    hex.push_str(OURS);
    for byte in digest.into_iter().take(DIGITS / 2) {
        for nibble in [byte >> 4, byte & 15] {
            hex.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
        }
    }
    hex
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moving_a_letter_between_parts_changes_the_hash() {
        let job = |command: &str, script: &str| JobInputs {
            command: command.to_owned(),
            invocation_script: Some(script.to_owned()),
            ..JobInputs::default()
        };
        assert_ne!(hash(&job("ab", "c")), hash(&job("a", "bc")));
        let empty = JobInputs {
            invocation_script: None,
            ..job("ab", "")
        };
        assert_eq!(hash(&job("ab", "")), hash(&empty));
        assert_eq!(hash(&empty).len(), OURS.len() + DIGITS);
    }
}

//! What every command has at hand: the server, the form of the output, the user.

use std::cell::Cell;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::failure::Failure;
use super::output::Output;
use crate::client::{Client, ClientError, RetryPolicy};
use crate::say::say;
use crate::wire::workflows::{ListWorkflowsQuery, WorkflowModel};
use crate::wire::{API_VERSION, WorkflowId};

/// How long a server that is too busy is asked again.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a worker waits for a server that does not answer yet.
const AT_START: RetryPolicy = RetryPolicy::lasting(Duration::from_secs(5));

/// What every command has at hand.
#[derive(Debug, Clone)]
pub struct Context {
    /// The server.
    pub client: Client,
    /// Where and how to print.
    pub output: Output,
    /// Who runs the command.
    pub user: String,
}

impl Context {
    /// Warns if the server speaks another version of the contract.
    ///
    /// # Errors
    ///
    /// [`Failure`] if nobody answers: then no command can do anything.
    pub async fn check_version(&self) -> Result<(), Failure> {
        let version = match self.client.get_version().await {
            Ok(version) => version,
            Err(error @ ClientError::Connect { .. }) => return Err(error.into()),
            // The command itself will say more about it than this check could.
            Err(_) => return Ok(()),
        };
        if let Some(theirs) = version.api_version
            && !is_compatible(&theirs, API_VERSION)
        {
            say(format_args!(
                "warning: the server speaks version {theirs} of the API, this program {API_VERSION}"
            ));
        }
        Ok(())
    }

    /// Waits a little for a server that does not answer yet: workers are often started
    /// together with it.
    ///
    /// # Errors
    ///
    /// [`Failure`] if it does not come.
    pub async fn await_server(&self) -> Result<(), Failure> {
        let told = Cell::new(false);
        let ask = || async {
            let answer = self.client.get_version().await;
            let late = answer.as_ref().is_err_and(ClientError::is_transient);
            if late && !told.replace(true) {
                let url = self.client.base_url();
                say(format_args!("waiting for the server at {url}"));
            }
            answer
        };
        match AT_START.run(ask).await {
            Err(error @ ClientError::Connect { .. }) => Err(error.into()),
            // What else is wrong the command itself will say better.
            _ => Ok(()),
        }
    }

    /// The workflow that is meant: the one named, else the user's newest.
    ///
    /// # Errors
    ///
    /// [`Failure`] if there is none, or the server refuses.
    pub async fn workflow_or_newest(&self, id: Option<WorkflowId>) -> Result<WorkflowId, Failure> {
        if let Some(id) = id {
            return Ok(id);
        }
        let query = ListWorkflowsQuery {
            user: Some(self.user.clone()),
            is_archived: Some(false),
            limit: Some(1),
            sort_by: Some("id".to_owned()),
            reverse_sort: Some(true),
            ..ListWorkflowsQuery::default()
        };
        let newest = self
            .client
            .list_workflows(&query)
            .await?
            .items
            .into_iter()
            .next();
        let Some(WorkflowModel {
            id: Some(id), name, ..
        }) = newest
        else {
            return Err(Failure::new(format!("user {} has no workflow", self.user))
                .hint("create one with `torc create FILE`, or name one by its ID"));
        };
        say(format_args!(
            "workflow {id}, {name}, the newest of {}",
            self.user
        ));
        Ok(id)
    }
}

/// Who runs the command, as the published clients find it out.
pub fn user_name() -> String {
    ["TORC_USERNAME", "USER", "USERNAME"]
        .into_iter()
        .filter_map(|name| std::env::var(name).ok())
        .find(|value| !value.is_empty())
        .unwrap_or_else(|| "unknown".to_owned())
}

/// Before version 1 the second number counts as the first does later.
fn is_compatible(theirs: &str, ours: &str) -> bool {
    let significant = |version: &str| {
        let mut numbers = version.split('.').map(str::to_owned);
        let major = numbers.next();
        let minor = if major.as_deref() == Some("0") {
            numbers.next()
        } else {
            None
        };
        (major, minor)
    };
    significant(theirs) == significant(ours)
}

/// Calls again while the server says that it is too busy, and only then: such an answer
/// means that nothing was done, so that even a creation may be repeated.
///
/// # Errors
///
/// The last error.
pub async fn patiently<T, F>(mut call: impl FnMut() -> F) -> Result<T, ClientError>
where
    F: Future<Output = Result<T, ClientError>>,
{
    let end = Instant::now() + PATIENCE;
    loop {
        match call().await {
            Err(error) if error.status() == Some(503) && Instant::now() < end => {
                let wait = error.retry_after().unwrap_or(Duration::from_millis(200));
                sleep(wait.min(Duration::from_secs(5))).await;
            }
            answer => return answer,
        }
    }
}

/// Calls again also while the server cannot be reached, though not for as long. Only for
/// what may be done twice.
///
/// # Errors
///
/// The last error.
pub async fn insistently<T, F>(call: impl Fn() -> F) -> Result<T, ClientError>
where
    F: Future<Output = Result<T, ClientError>>,
{
    patiently(|| AT_START.run(&call)).await
}

#[cfg(test)]
mod tests {
    use super::is_compatible;

    #[test]
    fn versions_before_1_differ_in_their_second_number() {
        assert!(is_compatible("0.23.9", "0.23.0"));
        assert!(!is_compatible("0.24.0", "0.23.0"));
        assert!(!is_compatible("1.23.0", "0.23.0"));
        assert!(is_compatible("1.5.0", "1.2.0"));
    }
}

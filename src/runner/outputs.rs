//! The files that jobs should have written.

use std::collections::HashMap;
use std::time::UNIX_EPOCH;

use tokio::sync::Mutex;

use crate::client::{Client, ClientError, RetryPolicy};
use crate::wire::files::FileModel;

/// Looks after output files; each file's path is asked for once.
#[derive(Debug)]
pub(super) struct Outputs {
    client: Client,
    retry: RetryPolicy,
    known: Mutex<HashMap<i64, FileModel>>,
}

impl Outputs {
    pub(super) fn new(client: Client, retry: RetryPolicy) -> Self {
        Self {
            client,
            retry,
            known: Mutex::new(HashMap::new()),
        }
    }

    /// The paths among these files that do not exist; tells the server the age of the others.
    ///
    /// A file that the server does not know is none of the job's failings.
    pub(super) async fn missing(&self, ids: &[i64]) -> Vec<String> {
        let mut missing = Vec::new();
        for &id in ids {
            match self.look(id).await {
                Ok(None) => {}
                Ok(Some(path)) => missing.push(path),
                Err(error) => {
                    tracing::warn!(file.id = id, %error, "an output file could not be checked");
                }
            }
        }
        missing
    }

    /// The file's path if it does not exist.
    async fn look(&self, id: i64) -> Result<Option<String>, ClientError> {
        let mut file = self.file(id).await?;
        let Ok(metadata) = std::fs::metadata(&file.path) else {
            return Ok(Some(file.path));
        };
        let modified = metadata.modified().ok();
        file.st_mtime = modified
            .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
            .map(|age| age.as_secs_f64());
        self.retry
            .run(|| self.client.update_file(id, &file))
            .await?;
        Ok(None)
    }

    async fn file(&self, id: i64) -> Result<FileModel, ClientError> {
        if let Some(file) = self.known.lock().await.get(&id) {
            return Ok(file.clone());
        }
        let file = self.retry.run(|| self.client.get_file(id)).await?;
        self.known.lock().await.insert(id, file.clone());
        Ok(file)
    }
}

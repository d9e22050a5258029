//! Ping and version.

use super::{Client, ClientError};
use crate::wire::system::{PingResponse, VersionResponse};

impl Client {
    /// Asks whether the server is there.
    pub async fn ping(&self) -> Result<PingResponse, ClientError> {
        self.get("/ping").send().await
    }

    /// Asks for the versions of the server and of the contract.
    pub async fn get_version(&self) -> Result<VersionResponse, ClientError> {
        self.get("/version").send().await
    }
}

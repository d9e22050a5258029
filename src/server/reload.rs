//! What is read again on SIGHUP: the certificate, and the users.

use super::auth::Auth;
use super::tls::Tls;

/// Reads files again. Cheap to clone.
#[derive(Clone)]
pub struct Reload {
    pub(super) auth: Auth,
    pub(super) tls: Option<Tls>,
}

impl Reload {
    /// Whether there is anything to read.
    pub fn reads_something(&self) -> bool {
        self.tls.is_some() || self.auth.has_file()
    }

    /// Reads all, and says in the log what came of it. What is no good changes nothing.
    pub async fn reload(&self) {
        if !self.reads_something() {
            tracing::info!("SIGHUP: there is no certificate and no file of users to read again");
        }
        if let Some(tls) = &self.tls {
            match tls.reload().await {
                Ok(()) => tracing::info!("the TLS certificate was read again"),
                Err(why) => {
                    tracing::error!("the TLS certificate from before stays in use: {why}");
                }
            }
        }
        if let Some(Err(why)) = self.auth.reload().await {
            tracing::error!("the users from before remain: {why}");
        }
    }
}

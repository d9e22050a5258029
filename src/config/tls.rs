//! The flags of TLS.

use std::path::PathBuf;

use clap::Args;

/// The flags of TLS.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "TLS")]
pub struct TlsArgs {
    /// Speak HTTPS, and nothing else; needs --tls-cert and --tls-key
    #[arg(long)]
    pub https: bool,

    /// The certificate and those that lead to a known one, as PEM; SIGHUP has it read again
    #[arg(long, value_name = "PEM", env = "TORC_TLS_CERT")]
    pub tls_cert: Option<PathBuf>,

    /// The certificate's private key, as PEM
    #[arg(long, value_name = "PEM", env = "TORC_TLS_KEY")]
    pub tls_key: Option<PathBuf>,
}

impl TlsArgs {
    /// Certificate and key; none without `--https`.
    ///
    /// # Errors
    ///
    /// One of them is missing.
    pub fn files(&self) -> Result<Option<(PathBuf, PathBuf)>, String> {
        if !self.https {
            return Ok(None);
        }
        match (&self.tls_cert, &self.tls_key) {
            (Some(cert), Some(key)) => Ok(Some((cert.clone(), key.clone()))),
            (cert, key) => {
                let cert = cert.is_none().then_some("--tls-cert (TORC_TLS_CERT)");
                let key = key.is_none().then_some("--tls-key (TORC_TLS_KEY)");
                let missing: Vec<&str> = cert.into_iter().chain(key).collect();
                Err(format!("--https needs {}", missing.join(" and ")))
            }
        }
    }
}

//! TLS for the connections of clients, and its files, which may change under way.

use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, Error, InconsistentKeys, ServerConfig};
use tokio_rustls::server::TlsStream;

use crate::telemetry::task;

/// How long a client may take until the connection is a secure one.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// The one protocol that is spoken inside.
const HTTP: &[u8] = b"http/1.1";

/// Where the certificate is, and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsConfig {
    /// The certificate and those that lead to a known one, as PEM.
    pub cert: PathBuf,
    /// Its private key, as PEM.
    pub key: PathBuf,
}

/// What is wrong with the files; each text is one clear line.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// One cannot be read.
    #[error("cannot read the TLS {what} {file}: {cause}", file = file.display())]
    Read {
        /// Certificate or key.
        what: &'static str,
        /// The file.
        file: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },
    /// One has something else in it.
    #[error("the TLS {what} {file} is no good: {why}", file = file.display())]
    Bad {
        /// Certificate or key.
        what: &'static str,
        /// The file.
        file: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// They do not belong together.
    #[error(
        "the TLS key {key} is not the one of the certificate {cert}",
        key = files.key.display(), cert = files.cert.display()
    )]
    Mismatch {
        /// The files.
        files: TlsConfig,
    },
}

/// Makes connections secure. Cheap to clone; clones see new files together.
#[derive(Clone)]
pub struct Tls {
    files: TlsConfig,
    current: Arc<RwLock<Arc<ServerConfig>>>,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    ///
    /// Files that are no good.
    pub fn new(files: &TlsConfig) -> Result<Self, TlsError> {
        Ok(Self {
            files: files.clone(),
            current: Arc::new(RwLock::new(Arc::new(read(files)?))),
        })
    }

    /// Reads the files again, for connections to come; those that are open stay as they
    /// are.
    ///
    /// # Errors
    ///
    /// Files that are no good: the certificate from before stays.
    pub async fn reload(&self) -> Result<(), String> {
        let files = self.files.clone();
        let config = task::spawn_blocking("read-tls-files", move || read(&files))
            .await
            .map_err(|error| error.to_string())?
            .map_err(|error| error.to_string())?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
        Ok(())
    }

    /// Agrees with a client on keys.
    ///
    /// # Errors
    ///
    /// A client that does not speak TLS, does not trust us, or takes too long.
    pub async fn accept<S>(&self, stream: S) -> std::io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let config = {
            let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(&current)
        };
        let handshake = TlsAcceptor::from(config).accept(stream);
        match tokio::time::timeout(HANDSHAKE, handshake).await {
            Ok(outcome) => outcome,
            Err(_elapsed) => Err(ErrorKind::TimedOut.into()),
        }
    }
}

/// Keys stay out of logs.
impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tls").field(&self.files).finish()
    }
}

fn read(files: &TlsConfig) -> Result<ServerConfig, TlsError> {
    let chain = certificates(&files.cert)?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| {
        let none = "there is no unencrypted private key in it (PEM)";
        wrong("key", &files.key, error, none)
    })?;
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| unfit("key", &files.key, &error))?;
    let config = builder.with_no_client_auth().with_single_cert(chain, key);
    let mut config = config.map_err(|error| match error {
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => TlsError::Mismatch {
            files: files.clone(),
        },
        Error::InvalidCertificate(_) => unfit("certificate", &files.cert, &error),
        error => unfit("key", &files.key, &error),
    })?;
    config.alpn_protocols = vec![HTTP.to_vec()];
    Ok(config)
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let none = "there is no certificate in it (PEM)";
    let wrong = |error| wrong("certificate", file, error, none);
    let chain = CertificateDer::pem_file_iter(file).map_err(wrong)?;
    let chain: Vec<_> = chain.collect::<Result<_, _>>().map_err(wrong)?;
    if chain.is_empty() {
        return Err(wrong(pem::Error::NoItemsFound));
    }
    Ok(chain)
}

fn wrong(what: &'static str, file: &Path, error: pem::Error, none: &str) -> TlsError {
    let file = file.to_owned();
    match error {
        pem::Error::Io(cause) => TlsError::Read { what, file, cause },
        pem::Error::NoItemsFound => TlsError::Bad {
            what,
            file,
            why: none.to_owned(),
        },
        other => TlsError::Bad {
            what,
            file,
            why: format!("{other:?}"),
        },
    }
}

fn unfit(what: &'static str, file: &Path, error: &rustls::Error) -> TlsError {
    TlsError::Bad {
        what,
        file: file.to_owned(),
        why: error.to_string(),
    }
}

//! Whom our own clients trust when they speak TLS.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

/// Whose certificates count.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Trust {
    /// Nobody's: no TLS is spoken.
    #[default]
    Nobody,
    /// Those that the system trusts.
    System,
    /// Those too that somebody in this file signed.
    SystemAnd(PathBuf),
    /// Anybody's.
    Anybody,
}

/// Why nobody can be trusted; each text is one clear line.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The file cannot be read.
    #[error("cannot read the CA certificates in {file}: {cause}", file = file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },
    /// It has something else in it.
    #[error("there is no CA certificate in {file} (PEM)", file = file.display())]
    NoCertificate {
        /// The file.
        file: PathBuf,
    },
    /// The system has none.
    #[error("this system trusts no certificates; is ca-certificates installed?")]
    NoRoots,
    /// The library does not work.
    #[error("TLS cannot be used: {0}")]
    Library(#[from] Error),
}

impl Trust {
    /// What a client needs to speak TLS.
    ///
    /// # Errors
    ///
    /// The file is no good, or the system trusts nobody.
    pub fn config(&self) -> Result<ClientConfig, TrustError> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?;
        let roots = match self {
            Self::Nobody => RootCertStore::empty(),
            Self::System => of_the_system()?,
            Self::SystemAnd(file) => {
                let mut roots = of_the_system().unwrap_or_else(|_none| RootCertStore::empty());
                add_from(file, &mut roots)?;
                roots
            }
            Self::Anybody => {
                let blind = Arc::new(Blind(provider));
                let builder = builder.dangerous().with_custom_certificate_verifier(blind);
                return Ok(builder.with_no_client_auth());
            }
        };
        Ok(builder.with_root_certificates(roots).with_no_client_auth())
    }
}

fn of_the_system() -> Result<RootCertStore, TrustError> {
    let mut roots = RootCertStore::empty();
    // What cannot be read, of more than a hundred, is not missed until it is needed.
    let (added, _ignored) =
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if added == 0 {
        return Err(TrustError::NoRoots);
    }
    Ok(roots)
}

fn add_from(file: &Path, roots: &mut RootCertStore) -> Result<(), TrustError> {
    let wrong = |error| match error {
        pem::Error::Io(cause) => TrustError::Read {
            file: file.to_owned(),
            cause,
        },
        _ => TrustError::NoCertificate {
            file: file.to_owned(),
        },
    };
    let certificates = CertificateDer::pem_file_iter(file).map_err(wrong)?;
    let certificates: Vec<_> = certificates.collect::<Result<_, _>>().map_err(wrong)?;
    let (added, _ignored) = roots.add_parsable_certificates(certificates);
    if added == 0 {
        return Err(wrong(pem::Error::NoItemsFound));
    }
    Ok(())
}

/// Believes every certificate. That the other side has its key is checked all the same.
struct Blind(Arc<CryptoProvider>);

impl fmt::Debug for Blind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Blind")
    }
}

impl ServerCertVerifier for Blind {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

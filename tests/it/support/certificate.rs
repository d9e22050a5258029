//! Certificates that nobody trusts but who is told to.

use std::fs;
use std::path::Path;

use tokio_rustls::rustls::pki_types::CertificateDer;
use torc_server::server::tls::TlsConfig;

/// A certificate of its own making.
pub struct Made {
    /// The certificate, as PEM.
    pub cert: String,
    /// Its key, as PEM.
    pub key: String,
    /// The certificate, as it is compared.
    pub der: CertificateDer<'static>,
}

/// Makes one for this machine.
pub fn made() -> Made {
    let names = ["localhost", "127.0.0.1"].map(str::to_owned);
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    Made {
        cert: made.cert.pem(),
        key: made.signing_key.serialize_pem(),
        der: made.cert.der().clone(),
    }
}

/// Puts a certificate into `cert.pem` and `key.pem`.
pub fn write(directory: &Path, made: &Made) -> TlsConfig {
    let files = TlsConfig {
        cert: directory.join("cert.pem"),
        key: directory.join("key.pem"),
    };
    fs::write(&files.cert, &made.cert).unwrap();
    fs::write(&files.key, &made.key).unwrap();
    files
}

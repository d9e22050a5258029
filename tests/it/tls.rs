//! HTTPS, by clients that speak TLS themselves.

use std::fs;
use std::io;
use std::process::Stdio;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};

use crate::support::certificate::{self, Made, made, write};
use crate::support::http;
use crate::support::process::{ServerProcess, output_to, torc_server};
use crate::support::server::TestServer;

type Stream = TlsStream<TcpStream>;

/// Connects, trusting this certificate alone.
async fn connect(port: u16, trusted: &Made) -> io::Result<Stream> {
    connect_by(port, trusted, &[&TLS13, &TLS12], &[b"h2", b"http/1.1"]).await
}

async fn connect_by(
    port: u16,
    trusted: &Made,
    versions: &[&'static SupportedProtocolVersion],
    protocols: &[&[u8]],
) -> io::Result<Stream> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.der.clone()).unwrap();
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    let tcp = TcpStream::connect(("127.0.0.1", port)).await?;
    let name = "localhost".try_into().unwrap();
    TlsConnector::from(Arc::new(config))
        .connect(name, tcp)
        .await
}

/// Pings over a connection that stays open.
async fn ping(stream: &mut Stream) -> String {
    let request = b"GET /torc-service/v1/ping HTTP/1.1\r\nhost: localhost\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut answer = String::new();
    while !answer.ends_with("{\"status\":\"ok\"}") {
        let mut bytes = [0; 1024];
        let read = stream.read(&mut bytes).await.unwrap();
        assert_ne!(read, 0, "the connection ended: {answer}");
        answer += str::from_utf8(&bytes[..read]).unwrap();
    }
    answer
}

#[tokio::test]
async fn https_is_http_inside() {
    let directory = tempfile::tempdir().unwrap();
    let made = made();
    let files = write(directory.path(), &made);
    let server = TestServer::start_with(|config| config.tls = Some(files)).await;
    let port: u16 = server
        .api
        .root()
        .rsplit(':')
        .next()
        .unwrap()
        .parse()
        .unwrap();

    // Somebody who says nothing, and somebody who speaks plainly.
    let mut silent = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let mut plain = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    plain
        .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");

    let mut stream = connect(port, &made).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    assert!(ping(&mut stream).await.starts_with("HTTP/1.1 200"));
    let again = ping(&mut stream).await;
    assert!(again.contains("x-content-type-options: nosniff"), "{again}");

    let mut older = connect_by(port, &made, &[&TLS12], &[]).await.unwrap();
    ping(&mut older).await;
    assert!(connect_by(port, &made, &[&TLS13], &[b"h2"]).await.is_err());
    assert!(
        connect(port, &certificate::made()).await.is_err(),
        "not the one that is trusted"
    );

    // Neither open connections nor the silent one keep a server from stopping.
    server.stop().await;
    assert_eq!(silent.read(&mut [0; 1]).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn a_new_certificate_is_taken_up_and_open_connections_stay() {
    let directory = tempfile::tempdir().unwrap();
    let (first, second) = (made(), made());
    write(directory.path(), &first);
    let arguments = ["--https", "--tls-cert", "cert.pem", "--tls-key", "key.pem"];
    let server = ServerProcess::start(directory.path(), &arguments);
    let mut open = connect(server.port(), &first).await.unwrap();
    ping(&mut open).await;

    write(directory.path(), &second);
    server.signal("HUP");
    server.wait_for_log("the TLS certificate was read again");
    ping(&mut open).await;
    assert!(connect(server.port(), &first).await.is_err());
    ping(&mut connect(server.port(), &second).await.unwrap()).await;

    fs::write(directory.path().join("key.pem"), &first.key).unwrap();
    server.signal("HUP");
    let said = server.wait_for_log("the TLS certificate from before stays in use");
    assert!(
        said.contains("the TLS key key.pem is not the one"),
        "{said}"
    );
    ping(&mut open).await;
    ping(&mut connect(server.port(), &second).await.unwrap()).await;

    server.signal("TERM");
    assert_eq!(server.wait().0.code(), Some(0));
}

#[tokio::test]
async fn the_users_are_read_again_on_sighup() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("users");
    let line = |user: &str| format!("{user}:{}\n", bcrypt::hash("x", 4).unwrap());
    fs::write(&file, line("ann")).unwrap();
    let server = ServerProcess::start(
        directory.path(),
        &["--auth-file", "users", "--require-auth"],
    );
    let status = async |user: &str| {
        let url = format!("{}/ping", server.api().url());
        let request = http::client().get(url).basic_auth(user, Some("x"));
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!((status("ann").await, status("bob").await), (200, 401));
    fs::write(&file, line("bob")).unwrap();
    server.signal("HUP");
    server.wait_for_log("the auth file was read again");
    assert_eq!((status("ann").await, status("bob").await), (401, 200));
    fs::write(&file, "nonsense").unwrap();
    server.signal("HUP");
    let said = server.wait_for_log("the users from before remain");
    assert!(said.contains("users, line 1"), "{said}");
    assert_eq!(status("bob").await, 200);
}

#[test]
fn files_that_are_no_good_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let (one, other) = (made(), made());
    write(directory.path(), &one);
    fs::write(directory.path().join("other.pem"), &other.key).unwrap();
    fs::write(directory.path().join("empty.pem"), "").unwrap();
    let broken = one.cert.replacen("MII", "AAA", 1);
    fs::write(directory.path().join("broken.pem"), broken).unwrap();
    let encrypted =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n";
    fs::write(directory.path().join("encrypted.pem"), encrypted).unwrap();
    for (cert, key, said) in [
        (
            None,
            None,
            "--https needs --tls-cert (TORC_TLS_CERT) and --tls-key (TORC_TLS_KEY)",
        ),
        (
            Some("cert.pem"),
            None,
            "--https needs --tls-key (TORC_TLS_KEY)",
        ),
        (
            Some("none.pem"),
            Some("key.pem"),
            "cannot read the TLS certificate none.pem",
        ),
        (
            Some("cert.pem"),
            Some("none.pem"),
            "cannot read the TLS key none.pem",
        ),
        (
            Some("empty.pem"),
            Some("key.pem"),
            "empty.pem is no good: there is no certificate",
        ),
        (
            Some("key.pem"),
            Some("key.pem"),
            "key.pem is no good: there is no certificate",
        ),
        (
            Some("broken.pem"),
            Some("key.pem"),
            "the TLS certificate broken.pem is no good",
        ),
        (
            Some("cert.pem"),
            Some("empty.pem"),
            "empty.pem is no good: there is no unencrypted",
        ),
        (
            Some("cert.pem"),
            Some("encrypted.pem"),
            "encrypted.pem is no good: there is no unencrypted",
        ),
        (
            Some("cert.pem"),
            Some("other.pem"),
            "other.pem is not the one of the certificate cert.pem",
        ),
    ] {
        let mut command = torc_server();
        command.current_dir(directory.path()).args([
            "run",
            "--host",
            "127.0.0.1",
            "--port",
            "0",
            "--no-console",
            "--https",
        ]);
        for (name, value) in [("TORC_TLS_CERT", cert), ("TORC_TLS_KEY", key)] {
            if let Some(value) = value {
                command.env(name, value);
            }
        }
        command.stdin(Stdio::null());
        let answer = output_to(&mut command, Stdio::null(), Stdio::piped());
        assert_eq!(answer.code, Some(1), "{said}: {}", answer.err);
        assert!(answer.err.contains(said), "{said}: {}", answer.err);
        assert!(!answer.err.contains("panicked"), "{}", answer.err);
    }
}

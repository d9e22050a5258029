//! Debug pages have no password: only callers on the server's machine, who ask for
//! themselves, get an answer.

use std::net::{IpAddr, UdpSocket};

use crate::support::http;
use crate::support::process::{ServerProcess, torc_server};

/// An address of this machine that is not loopback, if it has one. No packet is sent: a
/// connected socket only tells which address the system would use.
fn outer_address() -> Option<IpAddr> {
    ["192.0.2.1:9", "[2001:db8::1]:9"]
        .into_iter()
        .find_map(|far| {
            let any = if far.starts_with('[') {
                "[::]:0"
            } else {
                "0.0.0.0:0"
            };
            let socket = UdpSocket::bind(any).ok()?;
            socket.connect(far).ok()?;
            let own = socket.local_addr().ok()?.ip();
            (!own.is_loopback() && !own.is_unspecified()).then_some(own)
        })
}

fn server(directory: &std::path::Path, host: &str) -> ServerProcess {
    let mut command = torc_server();
    command
        .current_dir(directory)
        .args(["run", "--host", host, "--port", "0", "--no-console"])
        .args(["-d", "x.db"]);
    ServerProcess::spawn(command)
}

async fn ask(url: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let mut request = http::client().get(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test]
async fn they_answer_those_who_ask_for_themselves() {
    let directory = tempfile::tempdir().unwrap();
    let server = server(directory.path(), "127.0.0.1");
    let url = format!("http://127.0.0.1:{}/debug/timings", server.port());
    for headers in [
        &[][..],
        &[("host", "localhost")],
        &[("host", "LocalHost:8080")],
        &[("host", "127.1.2.3:80")],
        &[("host", "[::1]")],
        &[("host", "[::1]:9")],
        &[("origin", "http://localhost:3000")],
        &[("origin", "https://[::1]:3000")],
    ] {
        let (status, text) = ask(&url, headers).await;
        assert_eq!(status, 200, "{headers:?}: {text}");
    }
}

#[tokio::test]
async fn they_refuse_proxies_other_names_and_other_sites() {
    let directory = tempfile::tempdir().unwrap();
    let server = server(directory.path(), "127.0.0.1");
    let url = format!("http://127.0.0.1:{}/debug/timings", server.port());
    for (header, why) in [
        (("forwarded", "for=127.0.0.1"), "a proxy"),
        (("x-forwarded-for", "127.0.0.1"), "a proxy"),
        (("x-forwarded-host", "localhost"), "a proxy"),
        (("x-forwarded-proto", "http"), "a proxy"),
        (("via", "1.1 proxy"), "a proxy"),
        (("x-real-ip", "127.0.0.1"), "a proxy"),
        (("host", "torc.example.com"), "the Host header"),
        (("host", "localhost.example.com:8080"), "the Host header"),
        (("host", "localhost:x"), "the Host header"),
        (("host", "127.0.0.1.example.com"), "the Host header"),
        (("host", "10.0.0.1:8080"), "the Host header"),
        (("host", "[2001:db8::1]:8080"), "the Host header"),
        (("origin", "http://example.com"), "another site"),
        (("origin", "http://localhost.example.com"), "another site"),
        (("origin", "null"), "another site"),
        (("sec-fetch-site", "cross-site"), "another site"),
    ] {
        let (status, text) = ask(&url, &[header]).await;
        assert_eq!(status, 403, "{header:?}: {text}");
        assert!(text.starts_with("debug pages answer on loopback only: "));
        assert!(text.contains(why), "{header:?}: {text}");
        assert_eq!(text.matches('\n').count(), 1);
    }
    // Of another site an image and a frame are refused, a link may be followed.
    for (dest, expected) in [("image", 403), ("iframe", 403), ("document", 200)] {
        let asked = [("sec-fetch-site", "cross-site"), ("sec-fetch-dest", dest)];
        assert_eq!(ask(&url, &asked).await.0, expected, "{dest}");
    }
    // The API itself asks for none of this.
    let ping = format!("{}/ping", server.api().url());
    let proxied = [
        ("x-forwarded-for", "10.0.0.1"),
        ("host", "torc.example.com"),
    ];
    assert_eq!(ask(&ping, &proxied).await.0, 200);
}

/// From another address of this machine, which is how another machine looks.
#[tokio::test]
async fn they_refuse_other_machines() {
    let Some(address) = outer_address() else {
        eprintln!("this machine has no address but loopback: nothing to ask from");
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let host = if address.is_ipv4() { "0.0.0.0" } else { "::" };
    let server = server(directory.path(), host);
    let url = match address {
        IpAddr::V4(v4) => format!("http://{v4}:{}/debug/timings", server.port()),
        IpAddr::V6(v6) => format!("http://[{v6}]:{}/debug/timings", server.port()),
    };
    let (status, text) = ask(&url, &[("host", "localhost")]).await;
    assert_eq!(status, 403, "{text}");
    assert!(text.contains("ask from the server's own machine"), "{text}");
}

/// tokio-console has no password either, and cannot refuse: a warning it is.
#[tokio::test]
#[cfg(tokio_unstable)]
async fn a_console_for_everybody_is_a_warning() {
    let directory = tempfile::tempdir().unwrap();
    for (bind, warned) in [("127.0.0.1:0", false), ("0.0.0.0:0", true)] {
        let mut command = torc_server();
        command
            .current_dir(directory.path())
            .args(["run", "--host", "127.0.0.1", "--port", "0", "-d", "x.db"])
            .args(["--console-bind", bind]);
        let server = ServerProcess::spawn(command);
        server.signal("TERM");
        let (_, said) = server.wait();
        assert!(said.contains("tokio-console can connect"), "{said}");
        assert_eq!(
            said.contains("tokio-console has no password"),
            warned,
            "{said}"
        );
    }
}

/// Ten times as large, so only for those who compare.
#[tokio::test]
async fn buckets_come_when_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let server = server(directory.path(), "127.0.0.1");
    server.api().workflow().await;
    let page = format!("http://127.0.0.1:{}/debug/timings", server.port());
    for (query, expected) in [
        ("", false),
        ("?buckets=false", false),
        ("?buckets=true", true),
    ] {
        let (status, text) = ask(&format!("{page}{query}"), &[]).await;
        assert_eq!(status, 200, "{text}");
        assert_eq!(text.contains("\"buckets\":[["), expected, "{text}");
    }
    let (status, text) = ask(&format!("{page}?buckets=maybe"), &[]).await;
    assert_eq!(status, 400);
    assert!(text.contains("`true` or `false`"), "{text}");
}

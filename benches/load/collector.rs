//! Takes the traces that our server exports by OTLP/HTTP, so that exporting can be measured:
//! it answers 200 to whatever comes, and counts.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Outcome;
use super::report::Report;

/// A collector on a free port, for as long as this program runs.
pub struct Collector {
    url: String,
    bytes: Arc<AtomicU64>,
}

impl Collector {
    /// Listens.
    pub fn start() -> Outcome<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}", listener.local_addr()?);
        let bytes = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&bytes);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let counted = Arc::clone(&counted);
                std::thread::spawn(move || serve(stream, &counted));
            }
        });
        Ok(Self { url, bytes })
    }

    /// What the server is told to export, and where to.
    pub fn flags(&self, share: f64) -> Vec<String> {
        vec![
            format!("--otlp={}", self.url),
            format!("--otlp-sample={share}"),
        ]
    }

    /// Notes in the report how much came.
    ///
    /// # Errors
    ///
    /// Nothing did: the run says nothing about a server that exports then.
    pub fn noted(&self, mut report: Report) -> Outcome<Report> {
        let bytes = self.bytes.load(Ordering::Relaxed);
        if bytes == 0 {
            return Err("the server exported no traces".into());
        }
        report.extras.insert("otlp_bytes".to_owned(), bytes as f64);
        Ok(report)
    }
}

/// Answers the requests of one connection until it ends.
fn serve(stream: TcpStream, counted: &AtomicU64) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            let line = line.trim_end();
            if line.is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().unwrap_or(0);
            }
        }
        let read = std::io::copy(&mut (&mut reader).take(length), &mut std::io::sink());
        if read.unwrap_or(0) < length {
            return;
        }
        counted.fetch_add(length, Ordering::Relaxed);
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
        if reader.get_mut().write_all(answer).is_err() {
            return;
        }
    }
}

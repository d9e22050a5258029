//! A server of a few fixed pages, for what a real one cannot be brought to say.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What is answered to a path and whatever follows it.
pub struct Page {
    /// How the request begins, such as `GET /debug/requests`.
    pub request: &'static str,
    /// Status line without the version.
    pub status: &'static str,
    /// The whole body.
    pub body: String,
    /// The answer breaks off after the body, which is announced as longer.
    pub torn: bool,
}

impl Page {
    /// A page that is fine.
    pub fn ok(request: &'static str, body: impl Into<String>) -> Self {
        Self::of(request, "200 OK", body)
    }

    /// A page with a status.
    pub fn of(request: &'static str, status: &'static str, body: impl Into<String>) -> Self {
        Self {
            request,
            status,
            body: body.into(),
            torn: false,
        }
    }
}

/// The server; its thread ends with the test's process.
pub struct Pages {
    /// Where it answers.
    pub url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Pages {
    /// Serves these pages; of those that fit a request the first one counts, and what none
    /// fits is answered by an empty 404.
    pub fn serve(pages: Vec<Page>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                answer(stream, &pages, &heard);
            }
        });
        Self { url, asked }
    }

    /// The first lines of all requests so far.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn answer(mut stream: TcpStream, pages: &[Page], asked: &Mutex<Vec<String>>) {
    let mut request = Vec::new();
    let mut piece = [0; 4096];
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut piece) {
            Ok(count) if count > 0 => request.extend_from_slice(&piece[..count]),
            _ => return,
        }
    }
    let request = String::from_utf8_lossy(&request).into_owned();
    let line = request.lines().next().unwrap_or_default().to_owned();
    asked.lock().unwrap().push(line.clone());
    let page = pages.iter().find(|page| line.starts_with(page.request));
    let (status, body, torn) = page.map_or(("404 Not Found", "", false), |page| {
        (page.status, page.body.as_str(), page.torn)
    });
    let length = body.len() + if torn { 100 } else { 0 };
    // A caller that left has had enough.
    let _ = write!(
        stream,
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\n\
         content-length: {length}\r\n\r\n{body}"
    );
}

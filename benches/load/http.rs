//! The smallest HTTP/1.1 client that does: one kept connection, one request at a time.
//!
//! A general client costs several times as much per request, on a machine that the
//! server needs. This one knows `Content-Length` and chunked answers, and nothing else.

use std::fmt::{Arguments, Write as _};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Outcome;

/// Headers of an answer at most.
const HEADERS: usize = 32;
/// Room for one read.
const READ: usize = 16 * 1024;
/// An answer may not be larger: a hundred thousand jobs with long lists fit.
const LARGEST: usize = 1 << 30;

/// A kept connection to a server.
pub struct Connection {
    stream: TcpStream,
    host: String,
    /// What goes before every path.
    base: &'static str,
    head: String,
    input: Vec<u8>,
    /// The body of a chunked answer.
    joined: Vec<u8>,
}

/// How the body of an answer ends.
#[derive(Debug, Clone, Copy)]
enum Length {
    Known(usize),
    Chunked,
}

/// An answer, as long as the connection is not used again.
pub struct Answer<'c> {
    /// Its status code.
    pub status: u16,
    /// Its body.
    pub body: &'c [u8],
}

impl Connection {
    /// Connects to the API at `host`, which is name and port.
    pub async fn open(host: &str) -> Outcome<Self> {
        Self::open_at(host, "/torc-service/v1").await
    }

    /// Connects to what `host` has below `base`.
    pub async fn open_at(host: &str, base: &'static str) -> Outcome<Self> {
        let stream = TcpStream::connect(host)
            .await
            .map_err(|error| format!("cannot connect to {host}: {error}"))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            host: host.to_owned(),
            base,
            head: String::new(),
            input: Vec::with_capacity(READ),
            joined: Vec::new(),
        })
    }

    /// Sends a request, and reads the answer to its end.
    pub async fn call(
        &mut self,
        method: &str,
        path: Arguments<'_>,
        body: &[u8],
    ) -> Outcome<Answer<'_>> {
        self.send(method, path, body).await?;
        let (status, length, start) = self.read_head().await?;
        let body = match length {
            Length::Known(length) => {
                while self.input.len() < start + length {
                    self.read_more().await?;
                }
                &self.input[start..start + length]
            }
            Length::Chunked => {
                self.joined.clear();
                self.input.drain(..start);
                while !join_chunks(&mut self.input, &mut self.joined)? {
                    self.read_more().await?;
                }
                &self.joined
            }
        };
        Ok(Answer { status, body })
    }

    /// Like [`Self::call`], for callers that can do nothing with a refusal.
    pub async fn ok(&mut self, method: &str, path: Arguments<'_>, body: &[u8]) -> Outcome<&[u8]> {
        let answer = self.call(method, path, body).await?;
        if answer.status == 200 {
            return Ok(answer.body);
        }
        let text = String::from_utf8_lossy(&answer.body[..answer.body.len().min(300)]);
        Err(format!("{method} {path} was answered {}: {text}", answer.status).into())
    }

    /// Opens a stream of events; its pieces come from [`Self::next_piece`].
    pub async fn open_stream(&mut self, path: Arguments<'_>) -> Outcome<()> {
        self.send("GET", path, b"").await?;
        let (status, length, start) = self.read_head().await?;
        if status != 200 || !matches!(length, Length::Chunked) {
            return Err(format!("the event stream was answered {status}, {length:?}").into());
        }
        self.input.drain(..start);
        Ok(())
    }

    /// What arrived next on an open stream.
    pub async fn next_piece(&mut self) -> Outcome<&[u8]> {
        self.joined.clear();
        loop {
            let ended = join_chunks(&mut self.input, &mut self.joined)?;
            if !self.joined.is_empty() {
                return Ok(&self.joined);
            }
            if ended {
                return Err("the server ended an event stream".into());
            }
            self.read_more().await?;
        }
    }

    async fn send(&mut self, method: &str, path: Arguments<'_>, body: &[u8]) -> Outcome<()> {
        self.input.clear();
        self.head.clear();
        write!(
            self.head,
            "{method} {}{path} HTTP/1.1\r\nhost: {}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n",
            self.base,
            self.host,
            body.len()
        )?;
        // One write for what fits into a packet or so: a second one costs a system call.
        if body.len() <= READ {
            self.input.extend_from_slice(self.head.as_bytes());
            self.input.extend_from_slice(body);
            self.stream.write_all(&self.input).await?;
            self.input.clear();
        } else {
            self.stream.write_all(self.head.as_bytes()).await?;
            self.stream.write_all(body).await?;
        }
        Ok(())
    }

    /// Reads up to the end of the head: status, length, and where the body starts.
    async fn read_head(&mut self) -> Outcome<(u16, Length, usize)> {
        loop {
            if !self.input.is_empty() {
                let mut headers = [httparse::EMPTY_HEADER; HEADERS];
                let mut head = httparse::Response::new(&mut headers);
                if let httparse::Status::Complete(start) = head.parse(&self.input)? {
                    let status = head.code.ok_or("an answer without a status")?;
                    return Ok((status, length_of(head.headers)?, start));
                }
            }
            self.read_more().await?;
        }
    }

    async fn read_more(&mut self) -> Outcome<()> {
        if self.input.len() > LARGEST {
            return Err("an answer is larger than this client allows".into());
        }
        // Large answers double the buffer; small ones never grow it.
        let spare = self.input.capacity() - self.input.len();
        if spare < READ / 4 {
            self.input.reserve(READ.max(self.input.len()));
        }
        match self.stream.read_buf(&mut self.input).await? {
            0 => Err("the server closed a connection".into()),
            _ => Ok(()),
        }
    }
}

fn length_of(headers: &[httparse::Header<'_>]) -> Outcome<Length> {
    for header in headers {
        if header.name.eq_ignore_ascii_case("content-length") {
            let text = std::str::from_utf8(header.value)?;
            return Ok(Length::Known(text.trim().parse()?));
        }
        if header.name.eq_ignore_ascii_case("transfer-encoding")
            && header.value.eq_ignore_ascii_case(b"chunked")
        {
            return Ok(Length::Chunked);
        }
    }
    Err("an answer says not how long it is".into())
}

/// Moves whole chunks from `input` to `joined`; says whether the last one was among them.
fn join_chunks(input: &mut Vec<u8>, joined: &mut Vec<u8>) -> Outcome<bool> {
    let mut at = 0;
    let mut ended = false;
    while let httparse::Status::Complete((start, size)) =
        httparse::parse_chunk_size(&input[at..])
            .map_err(|_invalid| "a chunk of an answer has no size")?
    {
        let size = usize::try_from(size)?;
        let whole = at + start + size + 2;
        if size > LARGEST || input.len() < whole {
            break;
        }
        joined.extend_from_slice(&input[at + start..at + start + size]);
        at = whole;
        if size == 0 {
            ended = true;
            break;
        }
    }
    input.drain(..at);
    Ok(ended)
}

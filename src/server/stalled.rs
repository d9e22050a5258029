//! A connection that ends when its peer stops taking what it is sent.
//!
//! Without this a client that asks for much and reads nothing would hold the answer in
//! memory for as long as it likes. Only the time counts in which there is something to
//! send: a stream of events on which nothing happens is no stalled one.

use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use crate::telemetry::resource;

/// Bytes that a peer must take in the time that it has, if not all: one that takes a byte
/// now and then is as bad as one that takes none.
const ENOUGH: usize = 1 << 20;

/// The connection.
pub struct Stalled<S> {
    stream: S,
    patience: Duration,
    /// Since the peer was first behind; none while it keeps up.
    behind: Option<Behind>,
}

struct Behind {
    end: Pin<Box<Sleep>>,
    taken: usize,
}

impl<S> Stalled<S> {
    /// Wraps a connection whose peer may be behind for as long as `patience`.
    pub fn new(stream: S, patience: Duration) -> Self {
        Self {
            stream,
            patience,
            behind: None,
        }
    }

    /// Judges what became of an attempt to send.
    fn judge(
        &mut self,
        context: &mut Context<'_>,
        sent: Poll<Result<usize>>,
    ) -> Poll<Result<usize>> {
        match sent {
            Poll::Ready(Ok(bytes)) => {
                if let Some(behind) = &mut self.behind {
                    behind.taken += bytes;
                    if behind.taken >= ENOUGH {
                        self.behind = None;
                    }
                }
                sent
            }
            Poll::Ready(Err(_)) => sent,
            Poll::Pending => {
                let behind = self.behind.get_or_insert_with(|| Behind {
                    end: resource::unseen(|| Box::pin(sleep(self.patience))),
                    taken: 0,
                });
                ready!(behind.end.as_mut().poll(context));
                let why = "its client does not take what it is sent";
                Poll::Ready(Err(Error::new(ErrorKind::TimedOut, why)))
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Stalled<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Stalled<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize>> {
        let sent = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.judge(context, sent)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let sent = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.judge(context, sent)
    }

    /// hyper would copy each answer into one buffer otherwise, past its counted memory.
    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// Called when all is written: the peer has caught up.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        self.behind = None;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

//! A connection whose client must not be too slow.

use std::{
    future::Future as _,
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Sleep, sleep},
};

/// How long the head of a request may take, from its first byte on. Before its first request, a
/// connection has this time from its beginning.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a client may leave a response unread.
const STALL_TIMEOUT: Duration = Duration::from_secs(30);

/// Whose turn it is on a connection. It is odd while a request is handled, and even while one is
/// awaited.
#[derive(Clone, Debug, Default)]
pub struct Turn(Arc<AtomicU64>);

impl Turn {
    /// A request has arrived, or was handled.
    pub fn next(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A connection that fails if its client is too slow to send the head of a request, or to read.
///
/// How long a connection may be idle between requests is not its concern.
pub struct Patience {
    stream: TcpStream,
    turn: Turn,
    /// The turn at the last read.
    last: u64,
    /// Whether a head is due: its first byte has arrived, or it is the first.
    begun: bool,
    head: Option<Pin<Box<Sleep>>>,
    write: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    /// A new connection. The server says whose `turn` it is.
    pub fn new(stream: TcpStream, turn: Turn) -> Self {
        Self { stream, turn, last: 0, begun: true, head: None, write: None }
    }

    fn written<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.write = None;
            return written;
        }
        wait(&mut self.write, STALL_TIMEOUT, context)
    }
}

/// Waits until `time` has passed since the first call, which is an error.
fn wait<T>(
    timer: &mut Option<Pin<Box<Sleep>>>,
    time: Duration,
    context: &mut Context<'_>,
) -> Poll<io::Result<T>> {
    ready!(timer.get_or_insert_with(|| Box::pin(sleep(time))).as_mut().poll(context));
    Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
}

impl AsyncRead for Patience {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let turn = self.turn.0.load(Ordering::Relaxed);
        if turn != self.last {
            (self.last, self.begun, self.head) = (turn, false, None);
        }
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        let is_awaited = turn.is_multiple_of(2);
        if read.is_ready() {
            self.begun = is_awaited;
            return read;
        }
        if is_awaited && self.begun {
            return wait(&mut self.head, HEAD_TIMEOUT, context);
        }
        read
    }
}

impl AsyncWrite for Patience {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.written(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

//! A body that takes its time.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use hyper::body::{Bytes, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep};

/// In how many pieces a slow body comes.
const PIECES: usize = 4;

/// Bytes, in one piece or in several with pauses between them.
pub struct Body {
    left: Bytes,
    piece: usize,
    pause: Duration,
    until: Pin<Box<Sleep>>,
}

impl Body {
    /// All of it now.
    pub fn at_once(bytes: Bytes) -> Self {
        Self {
            piece: bytes.len(),
            left: bytes,
            pause: Duration::ZERO,
            until: Box::pin(sleep(Duration::ZERO)),
        }
    }

    /// In pieces, the last of them after `spread`.
    pub fn slow(bytes: Bytes, spread: Duration) -> Self {
        let pause = spread / u32::try_from(PIECES).unwrap_or(u32::MAX);
        Self {
            piece: bytes.len().div_ceil(PIECES),
            left: bytes,
            pause,
            until: Box::pin(sleep(pause)),
        }
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left.is_empty() {
            return Poll::Ready(None);
        }
        if !self.pause.is_zero() {
            ready!(self.until.as_mut().poll(context));
            let next = Instant::now() + self.pause;
            self.until.as_mut().reset(next);
        }
        let piece = self.piece.min(self.left.len());
        let piece = self.left.split_to(piece);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(u64::try_from(self.left.len()).unwrap_or(u64::MAX))
    }
}

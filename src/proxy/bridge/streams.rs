//! How many requests of a connection are being answered: one that asks nothing is not kept for ever.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::sleep;

use crate::proxy::body::Body;

/// The streams of one connection; clones are the same ones.
#[derive(Clone, Default)]
pub struct Streams(Rc<Counts>);

#[derive(Default)]
struct Counts {
    /// Those that have not ended yet.
    open: Cell<usize>,
    /// All that ever began: whoever waits sees by it that something was asked meanwhile, and nobody looks at a clock.
    begun: Cell<usize>,
}

/// A stream, until this is dropped.
pub struct Open(Streams);

impl Streams {
    /// One more begins.
    pub fn open(&self) -> Open {
        self.0.open.set(self.0.open.get() + 1);
        self.0.begun.set(self.0.begun.get().wrapping_add(1));
        Open(self.clone())
    }

    /// Becomes ready when there has been none for so long, twice that at most.
    pub async fn idle(&self, limit: Duration) {
        loop {
            let begun = self.0.begun.get();
            let was_idle = self.0.open.get() == 0;
            sleep(limit).await;
            if was_idle && begun == self.0.begun.get() {
                return;
            }
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let open = &self.0.0.open;
        open.set(open.get() - 1);
    }
}

/// The body of an answer, with whose end its stream ends.
pub struct Counted {
    body: Body,
    _stream: Open,
}

impl Counted {
    /// The body of a stream's answer.
    pub fn new(body: Body, stream: Open) -> Self {
        Self { body, _stream: stream }
    }
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = <Body as HttpBody>::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Time passes as fast as there is nothing to do.
    #[tokio::test(start_paused = true)]
    async fn a_connection_is_idle_when_no_stream_was_open_for_so_long() {
        let limit = Duration::from_secs(10);
        let streams = Streams::default();
        let begun = tokio::time::Instant::now();
        streams.idle(limit).await;
        assert_eq!(begun.elapsed(), limit);
        let begun = tokio::time::Instant::now();
        let asking = async {
            sleep(limit / 2).await;
            drop(streams.open());
            let long = streams.open();
            sleep(3 * limit).await;
            drop(long);
            begun.elapsed()
        };
        let ((), ended) = tokio::join!(streams.idle(limit), asking);
        let idle = begun.elapsed() - ended;
        assert!(idle >= limit && idle <= 2 * limit, "{idle:?}");
    }
}

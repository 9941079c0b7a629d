//! Between two requests: waiting for the next head, but not for ever.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::time::Sleep;

use super::head::{Fault, Scan};
use crate::effects::clock;
use crate::proxy::closing::Closing;
use crate::proxy::http::Limits;
use crate::proxy::wire::{Io, Wire};

/// The beginning of HTTP/2 with prior knowledge (RFC 9113 section 3.4), as far as it looks like a head.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\n";
/// How much of what is still being sent is thrown away before the connection is closed all the same.
const MOST_IGNORED: usize = 1 << 20;

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// A head of so many bytes; whether the connection is to end after its answer.
    Head {
        length: usize,
        is_last: bool,
    },
    Http2,
    Wrong(Fault),
    /// A head that had begun and did not come to its end in time.
    Late,
    Closed,
}

/// The waiting of one connection.
pub struct Idle {
    closing: Closing,
    is_closing: bool,
    /// Nothing was asked over it: whoever has just connected is about to ask.
    is_new: bool,
    limits: Limits,
    /// One timer for the life of the connection: it is set anew only when it rings, not with every request.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Idle {
    pub fn new(closing: Closing, limits: Limits) -> Self {
        Self { closing, is_closing: false, is_new: true, limits, timer: None }
    }

    /// Waits for a head; the waiting began at `since`.
    pub async fn next<S: Io>(&mut self, wire: &Wire<S>, mut since: Instant) -> Next {
        let mut scan = Scan::default();
        let mut has_begun = false;
        let mut limit = if std::mem::take(&mut self.is_new) { self.limits.head } else { self.limits.idle };
        loop {
            match wire.take(|bytes| advance(bytes, &mut scan)) {
                Err(fault) => return Next::Wrong(fault),
                Ok(Found::Http2) => return Next::Http2,
                Ok(Found::Head(length)) => {
                    let is_last = poll_fn(|context| Poll::Ready(self.is_closing(context))).await;
                    return Next::Head { length, is_last };
                }
                Ok(Found::Nothing) if wire.is_full() => return Next::Wrong(Fault::TooLarge),
                Ok(Found::Nothing) => {}
            }
            if !wire.is_empty() && !has_begun {
                (has_begun, limit) = (true, self.limits.head);
                since = clock::instant();
            }
            let end = poll_fn(|context| match wire.poll_fill(context) {
                Poll::Ready(read) => Poll::Ready((!read.is_ok_and(|count| count > 0)).then_some(Next::Closed)),
                Poll::Pending if wire.is_empty() && self.is_closing(context) => Poll::Ready(Some(Next::Closed)),
                Poll::Pending => {
                    let late = || if has_begun { Next::Late } else { Next::Closed };
                    self.poll_due(context, since + limit).map(|()| Some(late()))
                }
            });
            if let Some(end) = end.await {
                return end;
            }
        }
    }

    fn is_closing(&mut self, context: &mut Context<'_>) -> bool {
        self.is_closing = self.is_closing || Pin::new(&mut self.closing).poll(context).is_ready();
        self.is_closing
    }

    fn poll_due(&mut self, context: &mut Context<'_>, due: Instant) -> Poll<()> {
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due.into())));
        if timer.deadline() > due.into() {
            timer.as_mut().reset(due.into());
        }
        while timer.as_mut().poll(context).is_ready() {
            if clock::instant() >= due {
                return Poll::Ready(());
            }
            // It was set when the waiting had begun earlier.
            timer.as_mut().reset(due.into());
        }
        Poll::Pending
    }
}

enum Found {
    Nothing,
    Head(usize),
    Http2,
}

/// Looks for the end of a head; empty lines before it are passed over (RFC 9112 section 2.2).
fn advance(bytes: &[u8], scan: &mut Scan) -> (usize, Result<Found, Fault>) {
    let empty = bytes.chunks_exact(2).take_while(|line| line == b"\r\n").count() * 2;
    let bytes = &bytes[empty..];
    if bytes == b"\r" {
        return (empty, Ok(Found::Nothing));
    }
    let found = scan.advance(bytes).map(|length| match length {
        Some(_) if bytes.starts_with(PREFACE) => Found::Http2,
        Some(length) => Found::Head(length),
        None => Found::Nothing,
    });
    (empty, found)
}

/// Ends what a caller may still be sending on: it is told that nothing more will come, and what it sends is thrown away
/// for a while. Closing at once would make the kernel forget the answer before it was read.
pub async fn linger<S: Io>(wire: &Wire<S>, limits: Limits) {
    if wire.shutdown().await.is_err() {
        return;
    }
    let drained = async {
        let mut ignored = 0;
        while ignored < MOST_IGNORED {
            wire.take(|bytes| (bytes.len(), ()));
            match wire.fill().await {
                Ok(0) | Err(_) => return,
                Ok(count) => ignored += count,
            }
        }
    };
    let _ = tokio::time::timeout(limits.linger, drained).await;
}

/// What a future brings, or `None` when the caller goes away meanwhile.
pub async fn unless_gone<S: Io, T>(wire: &Wire<S>, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|context| {
        if let Poll::Ready(value) = future.as_mut().poll(context) {
            return Poll::Ready(Some(value));
        }
        while !wire.is_full() {
            match wire.poll_fill(context) {
                Poll::Ready(Ok(count)) if count > 0 => {}
                Poll::Ready(_) => return Poll::Ready(None),
                Poll::Pending => break,
            }
        }
        Poll::Pending
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_lines_are_passed_over_and_prefaces_told() {
        let told = |bytes: &[u8]| match advance(bytes, &mut Scan::default()) {
            (used, Ok(Found::Head(length))) => format!("{used} head {length}"),
            (used, Ok(Found::Http2)) => format!("{used} http2"),
            (used, Ok(Found::Nothing)) => format!("{used} nothing"),
            (used, Err(_)) => format!("{used} wrong"),
        };
        assert_eq!(told(b"\r\n\r\nGET / HTTP/1.1\r\n\r\nx"), "4 head 18");
        assert_eq!(told(b"\r\nG"), "2 nothing");
        assert_eq!(told(b"\r"), "0 nothing");
        assert_eq!(told(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), "0 http2");
        assert_eq!(told(b"PRI * HT"), "0 nothing");
        assert_eq!(told(b"\nGET"), "0 wrong");
    }
}

//! Bodies on their way back, and the record that is made when one has ended.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Poll_, Poll};
use std::time::Instant;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};

use super::pool::Lease;
use crate::telemetry::requests::{Record, Requests};

/// The body of an answer.
#[expect(clippy::large_enum_variant, reason = "nearly every body is the large one; a box would cost each of them")]
pub enum Body {
    /// From upstream; recorded when it ends.
    Upstream { incoming: Incoming, ending: Ending },
    /// Ours.
    Own(Full<Bytes>),
}

/// What happens when a body ends or is given up.
pub struct Ending {
    pub recording: Recording,
    /// The connection goes back to the pool once nothing of this answer is left on it.
    pub lease: Option<Lease>,
}

/// A record that is completed and kept when it is dropped.
pub struct Recording {
    pub record: Option<Record>,
    pub begun: Instant,
    pub requests: Requests,
}

impl Recording {
    /// Notes the gRPC status, wherever it came.
    pub fn grpc_status(&mut self, headers: &hyper::HeaderMap) {
        let status = headers.get("grpc-status").and_then(|value| value.to_str().ok()?.parse().ok());
        if let (Some(status), Some(record)) = (status, &mut self.record) {
            record.grpc_status = Some(status);
        }
    }

    /// Notes why the answer is not what upstream meant it to be.
    pub fn fail(&mut self, reason: &str) {
        if let Some(record) = &mut self.record {
            record.error = Some(Arc::from(reason));
        }
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        if let Some(mut record) = self.record.take() {
            record.duration = self.begun.elapsed();
            self.requests.add(record);
        }
    }
}

impl Body {
    /// A short text of ours.
    pub fn text(text: impl Into<Bytes>) -> Self {
        Self::Own(Full::new(text.into()))
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Poll_<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.get_mut() {
            Self::Own(full) => Pin::new(full).poll_frame(context).map_err(|never| match never {}),
            Self::Upstream { incoming, ending } => {
                let polled = Pin::new(incoming).poll_frame(context);
                match &polled {
                    Poll::Ready(Some(Ok(frame))) => {
                        if let Some(trailers) = frame.trailers_ref() {
                            ending.recording.grpc_status(trailers);
                        }
                    }
                    Poll::Ready(Some(Err(error))) => {
                        ending.recording.fail(&format!("the answer broke off: {error}"));
                        ending.lease = None;
                    }
                    Poll::Ready(None) => {
                        if let Some(lease) = ending.lease.take() {
                            lease.give_back();
                        }
                    }
                    Poll::Pending => {}
                }
                polled
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own(full) => full.is_end_stream(),
            Self::Upstream { incoming, .. } => incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own(full) => full.size_hint(),
            Self::Upstream { incoming, .. } => incoming.size_hint(),
        }
    }
}

impl Drop for Body {
    /// A body that had no frames, or whose length was known, is never polled to its end.
    fn drop(&mut self) {
        if let Self::Upstream { incoming, ending } = self
            && incoming.is_end_stream()
            && let Some(lease) = ending.lease.take()
        {
            lease.give_back();
        }
    }
}

//! Bodies on their way back over HTTP/2, and the record that is made when an answer has ended.

use std::borrow::Cow;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{self, Poll};
use std::time::Instant;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use hyper::header::HeaderValue;
use hyper::{HeaderMap, StatusCode};

use super::answer::DEADLINE_EXCEEDED;
use super::bridge::Until;
use super::copies::Copy;
use super::h1::outbound::Inbound;
use super::link::InFlight;
use super::pool::Lease;
use super::reset::Ended;
use super::routing::Routed;
use super::routing::own::Local;
use crate::effects::clock;
use crate::route::Call;
use crate::telemetry::requests::{Link, Record, Requests};

/// What a record says where the caller did not wait for the end.
pub const GONE: &str = "the caller broke off";

/// The body of an answer.
pub enum Body {
    /// From upstream by hyper; recorded when it ends.
    Upstream { incoming: Incoming, ending: Box<Ending> },
    /// From upstream over a connection of ours.
    Inbound { inbound: Inbound, recording: Box<Recording> },
    /// Ours.
    Own(Full<Bytes>),
}

/// What happens when a body ends or is given up.
pub struct Ending {
    pub recording: Recording,
    /// The connection goes back to the pool once nothing of this answer is left on it.
    pub lease: Option<Lease>,
    /// The callee is busy with it until then.
    pub call: Option<Call>,
    /// Its caller waits so long.
    pub until: Option<Until>,
}

/// A record that is completed and kept when it is dropped.
pub struct Recording {
    pub record: Option<Record>,
    /// The callee is serving it.
    pub in_flight: Option<InFlight>,
    /// It is copied.
    pub copy: Option<Rc<Copy>>,
    /// The entries that go on with it.
    pub local: Option<Rc<Local>>,
    pub begun: Instant,
    pub requests: Requests,
}

impl Recording {
    /// Notes the name by which the caller knows a callee that is no service.
    pub fn known_as(&mut self, name: Option<Arc<str>>) {
        if let Some(record) = &mut self.record {
            record.to_name = name;
        }
    }

    /// Notes where it was led.
    pub fn routed(&mut self, routed: &Routed) {
        let Some(record) = &mut self.record else { return };
        let upstream = &routed.target.upstream;
        record.to = upstream.service().clone();
        record.version = upstream.version.as_ref().map(|version| version.name.clone());
        if let Some(more) = &routed.more {
            record.routed_by.clone_from(&more.by);
            record.to_name.clone_from(&more.asked_for);
        }
        self.local = routed.local().cloned();
    }

    /// Notes from which request it came, as far as that is known.
    pub fn linked(&mut self, told: (Link, Option<Arc<str>>)) {
        if let Some(record) = &mut self.record {
            (record.link, record.withheld) = told;
        }
    }

    /// The service of which a call may have missed entries: this call, or one that came of it.
    pub fn withheld(&self) -> Option<&Arc<str>> {
        let own = self.record.as_ref().and_then(|record| record.withheld.as_ref());
        own.or_else(|| self.local.as_ref()?.withheld())
    }

    /// It is a copy itself.
    pub fn copied(&mut self) {
        if let Some(record) = &mut self.record {
            record.is_copy = true;
        }
    }

    /// Shows the head of the answer to its copy.
    pub fn answered(&self, status: StatusCode, headers: &HeaderMap) {
        if let Some(copy) = &self.copy {
            copy.answered(status.as_u16(), headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())));
        }
    }

    /// Notes that it is tried with another instance.
    pub fn again(&mut self) {
        if let Some(record) = &mut self.record {
            record.attempts = record.attempts.saturating_add(1);
        }
    }

    /// Notes the status of the answer.
    pub fn status(&mut self, status: u16) {
        if let Some(record) = &mut self.record {
            record.status = Some(status);
        }
    }

    /// Notes the gRPC status, wherever it came.
    pub fn grpc_status(&mut self, status: Option<u16>) {
        if let (Some(status), Some(record)) = (status, &mut self.record) {
            record.grpc_status = Some(status);
        }
    }

    /// Notes why the answer is not what upstream meant it to be.
    pub fn fail(&mut self, reason: impl Into<Cow<'static, str>>) {
        if let Some(record) = &mut self.record {
            record.error = Some(reason.into());
        }
    }

    /// Notes that its answer has ended before its end.
    fn break_off(&mut self, error: &(dyn std::error::Error + 'static)) {
        let ended = Ended::of(error).zip(self.record.as_ref());
        let by = ended.map(|(ended, record)| format!("{}{ended}", record.to));
        self.fail(format!("the answer broke off: {}", by.unwrap_or_else(|| error.to_string())));
    }

    /// There is an answer after all.
    pub fn succeed(&mut self) {
        if let Some(record) = &mut self.record {
            record.error = None;
        }
    }

    /// The caller wanted no more of it; what broke off before that is told as it was.
    fn give_up(&mut self) {
        if self.record.as_ref().is_some_and(|record| record.error.is_none()) {
            self.fail(GONE);
        }
    }

    /// It has ended, now: which is returned.
    pub fn finish(&mut self) -> Instant {
        let now = clock::instant();
        self.in_flight = None;
        let withheld = self.withheld().cloned();
        if let Some(mut record) = self.record.take() {
            record.withheld = withheld;
            record.duration = now.saturating_duration_since(self.begun);
            if let Some(copy) = self.copy.take() {
                copy.finish(&record);
            }
            self.requests.add(record);
        }
        now
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        if self.record.is_some() {
            self.finish();
        }
    }
}

impl Ending {
    /// What a caller gets in the place of an end before the end, where its time was over by then.
    fn too_late(&mut self) -> Option<Frame<Bytes>> {
        self.until.filter(|until| until.is_over())?;
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from(DEADLINE_EXCEEDED));
        trailers.insert("grpc-message", HeaderValue::from_static("the time of the call was over"));
        self.recording.grpc_status(Some(DEADLINE_EXCEEDED));
        self.recording.finish();
        Some(Frame::trailers(trailers))
    }

    /// The callee's connection may serve another call.
    fn give_back(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.give_back();
        }
        self.call = None;
    }
}

/// The status in gRPC's headers or trailers.
pub fn grpc_status(headers: &hyper::HeaderMap) -> Option<u16> {
    headers.get("grpc-status").and_then(|value| value.to_str().ok()?.parse().ok())
}

impl Body {
    /// A whole body of ours.
    pub fn own(bytes: impl Into<Bytes>) -> Self {
        Self::Own(Full::new(bytes.into()))
    }
}

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Notes what a frame says of how the call went.
fn note(recording: &mut Recording, polled: &Poll<Option<Result<Frame<Bytes>, Error>>>) {
    match polled {
        Poll::Ready(Some(Ok(frame))) => {
            if let (Some(copy), Some(data)) = (&recording.copy, frame.data_ref()) {
                copy.answer(data);
            }
            // Nothing follows trailers, and hyper does not ask whether something does.
            if let Some(trailers) = frame.trailers_ref() {
                recording.grpc_status(grpc_status(trailers));
                recording.finish();
            }
        }
        Poll::Ready(Some(Err(error))) => recording.break_off(&**error),
        Poll::Ready(None) => drop(recording.finish()),
        Poll::Pending => {}
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut task::Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match self.get_mut() {
            Self::Own(full) => Pin::new(full).poll_frame(context).map_err(|never| match never {}),
            Self::Inbound { inbound, recording } => {
                let polled = Pin::new(inbound).poll_frame(context).map_err(Error::from);
                note(recording, &polled);
                polled
            }
            Self::Upstream { incoming, ending } => {
                let polled = Pin::new(incoming).poll_frame(context).map_err(Error::from);
                note(&mut ending.recording, &polled);
                match &polled {
                    Poll::Ready(Some(Err(_))) => {
                        ending.lease = None;
                        if let Some(trailers) = ending.too_late() {
                            return Poll::Ready(Some(Ok(trailers)));
                        }
                    }
                    Poll::Ready(None) => ending.give_back(),
                    Poll::Ready(Some(Ok(frame))) if frame.is_trailers() => ending.give_back(),
                    Poll::Ready(Some(Ok(_))) | Poll::Pending => {}
                }
                polled
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own(full) => full.is_end_stream(),
            Self::Inbound { inbound, .. } => inbound.is_end_stream(),
            Self::Upstream { incoming, .. } => incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own(full) => full.size_hint(),
            Self::Inbound { inbound, .. } => inbound.size_hint(),
            Self::Upstream { incoming, .. } => incoming.size_hint(),
        }
    }
}

impl Drop for Body {
    /// A body that had no frames, or whose length was known, is never polled to its end. One that was not read to its
    /// end was given up by the caller.
    fn drop(&mut self) {
        let is_over = self.is_end_stream();
        match self {
            Self::Own(_) => {}
            Self::Inbound { recording, .. } if !is_over => recording.give_up(),
            Self::Inbound { .. } => {}
            Self::Upstream { ending, .. } if !is_over => ending.recording.give_up(),
            Self::Upstream { ending, .. } => ending.give_back(),
        }
    }
}

//! Streams and connections of HTTP/2 that were ended before their time: by whom, and with which code.

use std::error::Error;
use std::fmt;
use std::iter::successors;

use h2::Reason;
use hyper::Response;

use super::body::Body;
use super::h1::Spoken;

/// Marks an answer in whose place a caller who speaks HTTP/2 is told that nothing was done.
#[derive(Debug, Clone, Copy)]
pub struct Unprocessed;

/// How a callee, or we, ended a call (RFC 9113 sections 6.4 and 6.8). In words it goes on behind the callee's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The callee ended its stream.
    Reset(Reason),
    /// The callee ended the connection.
    Left(Reason),
    /// We did, as what it sent is not HTTP/2 as it should be.
    Broken(Reason),
}

impl Ended {
    /// How a call ended that failed with this, where it was in one of these ways.
    pub fn of(error: &(dyn Error + 'static)) -> Option<Self> {
        let error = in_http2(error)?;
        let reason = error.reason()?;
        match (error.is_remote(), error.is_reset(), error.is_go_away()) {
            (true, true, _) => Some(Self::Reset(reason)),
            (true, _, true) => Some(Self::Left(reason)),
            _ if error.is_library() => Some(Self::Broken(reason)),
            _ => None,
        }
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reset(Reason::REFUSED_STREAM) => {
                out.write_str(" reset the call: REFUSED_STREAM, so it has not begun with it")
            }
            Self::Reset(reason) => write!(out, " reset the call: {reason:?}"),
            Self::Left(reason) => write!(out, " ended the connection: {reason:?}"),
            Self::Broken(reason) => write!(out, " broke the rules of HTTP/2 in its answer: {reason:?}"),
        }
    }
}

/// The error of HTTP/2 behind another.
fn in_http2<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e h2::Error> {
    successors(Some(error), |&error| error.source()).find_map(|error| error.downcast_ref())
}

/// Whether only the stream of this call has ended, and others on its connection go on.
pub fn is_of_stream(error: &hyper::Error) -> bool {
    in_http2(error).is_some_and(h2::Error::is_reset)
}

/// An answer, or a reset where that says more.
pub fn or_reset(answer: Response<Body>, spoken: Spoken) -> Result<Response<Body>, h2::Error> {
    match (spoken, answer.extensions().get::<Unprocessed>()) {
        (Spoken::Http2, Some(Unprocessed)) => Err(Reason::REFUSED_STREAM.into()),
        _ => Ok(answer),
    }
}

//! Streams of HTTP/2 that a callee refused: whoever asked is told so, and may ask again.

use std::error::Error;

use hyper::Response;

use super::body::Body;
use super::h1::Spoken;

/// Marks an answer in whose place a caller who speaks HTTP/2 is told that nothing was done.
#[derive(Debug, Clone, Copy)]
pub struct Unprocessed;

/// Whether the callee has done nothing with a request, which can then be made again without harm (RFC 9113 section 8.7).
pub fn is_unprocessed(error: &hyper::Error) -> bool {
    let reason = error.source().and_then(|source| source.downcast_ref::<h2::Error>()).and_then(h2::Error::reason);
    reason == Some(h2::Reason::REFUSED_STREAM)
}

/// Whether only the stream of this call has ended, and others on its connection go on.
pub fn is_of_stream(error: &hyper::Error) -> bool {
    error.source().and_then(|source| source.downcast_ref::<h2::Error>()).is_some_and(h2::Error::is_reset)
}

/// An answer, or a reset where that says more.
pub fn or_reset(answer: Response<Body>, spoken: Spoken) -> Result<Response<Body>, h2::Error> {
    match (spoken, answer.extensions().get::<Unprocessed>()) {
        (Spoken::Http2, Some(Unprocessed)) => Err(h2::Reason::REFUSED_STREAM.into()),
        _ => Ok(answer),
    }
}

//! A call by hyper that failed, and what of it may be sent again.

use std::io;

use hyper::Request;

use super::CallError;
use crate::proxy::upload::Upload;
use crate::route::Location;

/// Why, and the request where nothing of it was sent.
pub struct Failed {
    pub error: CallError,
    pub unsent: Option<Box<Request<Upload>>>,
}

impl Failed {
    /// There was no connection to send it over.
    pub fn before(error: CallError, request: Request<Upload>) -> Self {
        Self { error, unsent: Some(Box::new(request)) }
    }

    /// It could not be connected to.
    pub fn connect(location: &Location, error: io::Error, request: Request<Upload>) -> Self {
        Self::before(CallError::Connect(location.clone(), error), request)
    }
}

impl<E: Into<CallError>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self { error: error.into(), unsent: None }
    }
}

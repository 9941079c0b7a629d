//! Bodies of requests on their way by hyper, seen by their copies.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};

use super::copies::{Copy, Tee};

/// The body of a request.
pub struct Upload {
    incoming: Incoming,
    tee: Option<Tee>,
}

impl Upload {
    /// A body that a copy sees; without any, that is the body alone.
    pub fn new(incoming: Incoming, copy: Option<Rc<Copy>>) -> Self {
        let upload = Self { incoming, tee: copy.map(Tee::Upload) };
        upload.look();
        upload
    }

    /// Tells the end, which whoever knows the length does not ask for.
    fn look(&self) {
        if let Some(tee) = self.tee.as_ref().filter(|_| self.incoming.is_end_stream()) {
            tee.end();
        }
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let upload = self.get_mut();
        let polled = Pin::new(&mut upload.incoming).poll_frame(context);
        if let Some(tee) = &upload.tee {
            match &polled {
                Poll::Ready(Some(Ok(frame))) => {
                    frame.data_ref().into_iter().for_each(|data| tee.data(data));
                    upload.look();
                }
                Poll::Ready(None) => tee.end(),
                Poll::Ready(Some(Err(_))) | Poll::Pending => {}
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

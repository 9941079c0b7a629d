//! A request without a body over a connection of our own, for a caller who speaks HTTP/2.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::{COOKIE, HeaderName, HeaderValue};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};

use super::answering::{self, Missing, may_be_sent_again};
use super::attempts::Attempts;
use super::framing::{Decoder, Framing};
use super::head::{Fault, Kind, line};
use super::origin::Forwarded;
use super::request::Added;
use super::response::{self, Answer, Asked};
use crate::effects::clock;
use crate::proxy::dial::Stream;
use crate::proxy::http::Caller;
use crate::proxy::pool::{CallError, Pool, Shelf};
use crate::proxy::wire::{Spare, Text, Wire};
use crate::route::Call;

/// An answer on a connection of ours.
pub struct Inbound {
    wire: Option<Wire<Stream>>,
    decoder: Decoder,
    /// Of the body, while it is known.
    left: Option<u64>,
    keeps: bool,
    pool: Pool,
    shelf: Shelf,
    /// The callee is busy with it as long as this is there.
    _call: Call,
}

/// A request that is ready to be sent.
pub struct Outbound {
    text: Text,
    is_head: bool,
    is_idempotent: bool,
}

impl Outbound {
    /// Writes the head of a request to a host whose body is empty.
    pub fn new(request: &Request<Incoming>, host: &str, added: &Added<'_>, spare: &Spare) -> Self {
        let mut text = spare.text();
        write(request, host, added, &mut text.bytes);
        let method = request.method();
        Self { text, is_head: method == Method::HEAD, is_idempotent: method.is_idempotent() }
    }

    /// A request of ours with its body, and the names of its fields as `spelled` has them.
    pub fn whole<'n>(
        request: &'n Request<()>,
        spelled: impl Fn(&'n HeaderName) -> &'n str,
        body: &[u8],
        spare: &Spare,
    ) -> Self {
        let (mut text, method) = (spare.text(), request.method());
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        for word in [method.as_str(), " ", path, " HTTP/1.1\r\n"] {
            text.bytes.extend_from_slice(word.as_bytes());
        }
        for (name, value) in request.headers() {
            line(spelled(name), value, &mut text.bytes);
        }
        if !body.is_empty() || matches!(*method, Method::POST | Method::PUT | Method::PATCH) {
            line("Content-Length", body.len().to_string(), &mut text.bytes);
        }
        text.bytes.extend_from_slice(b"\r\n");
        text.bytes.extend_from_slice(body);
        Self { text, is_head: method == Method::HEAD, is_idempotent: method.is_idempotent() }
    }

    /// Its head, as it is sent.
    pub fn text(&self) -> &[u8] {
        &self.text.bytes
    }

    /// Sends it for a call that has just begun, and reads the head of its answer. Dropping either ends the call. Where the
    /// callee cannot be connected to, `another` may put another instance in its place.
    pub fn send<'a>(
        &'a self,
        pool: &'a Pool,
        call: Call,
        caller: &'a Caller,
        begun: Instant,
        mut another: impl FnMut(&mut Call) -> bool + 'a,
    ) -> impl Future<Output = Result<Response<Inbound>, CallError>> + 'a {
        let shelf = pool.shelf(call.location(), caller);
        let mut attempts = Attempts { pool, caller, begun, place: call, shelf };
        let asked = Asked { is_head: self.is_head, keeps: true, ..Asked::LAST };
        async move {
            loop {
                let next = attempts.next(|call| another(call).then(|| pool.shelf(call.location(), caller))).await;
                let failed = |error| CallError::Connect(attempts.place.location().clone(), error);
                let (wire, is_kept) = next.map_err(failed)?;
                let is_sent = wire.write_all(&self.text.bytes).await.is_ok();
                match head(&wire, asked).await {
                    Ok((answer, headers)) => {
                        let kept = (pool.clone(), attempts.shelf, attempts.place);
                        return Ok(inbound(wire, answer, headers, kept));
                    }
                    // It had been closed before, or while this was on its way.
                    Err(Missing::Nothing(_)) if is_kept && may_be_sent_again(is_sent, self.is_idempotent) => {}
                    Err(Missing::Nothing(error)) => return Err(CallError::Broken(error.to_string())),
                    Err(Missing::Wrong(Fault::Http2)) => return Err(CallError::OnlyHttp2),
                    Err(Missing::Wrong(fault)) => return Err(CallError::Broken(fault.to_string())),
                }
            }
        }
    }
}

fn write(request: &Request<Incoming>, host: &str, added: &Added<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(request.method().as_str().as_bytes());
    out.push(b' ');
    let path = added.target().or(request.uri().path_and_query().map(|path| path.as_str())).unwrap_or("/");
    out.extend_from_slice(path.as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
    line("Host", added.host.unwrap_or(host), out);
    let mut forwarded = Forwarded::default();
    for (name, value) in request.headers() {
        let kind = Kind::of(name.as_str());
        forwarded.note(kind, value.as_bytes());
        let passes = match kind {
            Kind::Plain | Kind::B3 | Kind::Via | Kind::Accept | Kind::ForwardedHost | Kind::ForwardedProto => true,
            Kind::ForwardedFor => added.origin.is_none(),
            Kind::Te => value.as_bytes() == b"trailers",
            _ => false,
        };
        if passes {
            line(name.as_str(), value, out);
        }
    }
    write_cookies(request, out);
    line("x-request-id", added.identity.id(), out);
    line("traceparent", added.identity.traceparent(), out);
    added.write_more(out);
    if let Some(origin) = added.origin {
        forwarded.write(origin, host, out);
    }
    if matches!(*request.method(), Method::POST | Method::PUT | Method::PATCH) {
        line("Content-Length", "0", out);
    }
    out.extend_from_slice(b"\r\n");
}

/// HTTP/2 may take cookies apart; others know one field only (RFC 9113 section 8.2.3).
fn write_cookies(request: &Request<Incoming>, out: &mut Vec<u8>) {
    let mut cookies = request.headers().get_all(COOKIE).iter().map(HeaderValue::as_bytes).peekable();
    if cookies.peek().is_none() {
        return;
    }
    out.extend_from_slice(b"Cookie: ");
    while let Some(cookie) = cookies.next() {
        out.extend_from_slice(cookie);
        out.extend_from_slice(if cookies.peek().is_some() { b"; " } else { b"\r\n" });
    }
}

/// Reads heads until one is the answer's.
async fn head(wire: &Wire<Stream>, asked: Asked) -> Result<(Answer, HeaderMap), Missing> {
    let read = |bytes: &[u8]| {
        let found = response::fields(bytes, asked)?;
        Ok(found.map(|(length, answer, headers)| (length, (answer, headers))))
    };
    loop {
        match answering::head(wire, read).await? {
            (answer, _) if answer.is_interim() => {}
            found => return Ok(found),
        }
    }
}

fn inbound(
    wire: Wire<Stream>,
    answer: Answer,
    headers: HeaderMap,
    (pool, shelf, call): (Pool, Shelf, Call),
) -> Response<Inbound> {
    let left = match answer.framing {
        Framing::Length(length) => Some(length),
        Framing::Chunked | Framing::Close => None,
    };
    let decoder = Decoder::new(answer.framing);
    let body = Inbound { wire: Some(wire), decoder, left, keeps: answer.keeps, pool, shelf, _call: call };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::BAD_GATEWAY);
    *response.headers_mut() = headers;
    response
}

impl Inbound {
    fn give_back(&mut self, now: Instant) {
        if let Some(wire) = self.wire.take()
            && self.keeps
            && self.decoder.is_done()
        {
            self.pool.keep(&self.shelf, wire, now);
        }
    }
}

impl Drop for Inbound {
    /// A body whose end is known is not asked for more.
    fn drop(&mut self) {
        if self.wire.is_some() {
            self.give_back(clock::instant());
        }
    }
}

fn trailers(lines: &[u8]) -> Option<HeaderMap> {
    if lines.is_empty() {
        return None;
    }
    let mut passed = Vec::new();
    super::trailers::pass(lines, &mut passed);
    passed.extend_from_slice(b"\r\n");
    let mut fields = [httparse::EMPTY_HEADER; 64];
    let httparse::Status::Complete((_, fields)) = httparse::parse_headers(&passed, &mut fields).ok()? else {
        return None;
    };
    let field = |field: &httparse::Header<'_>| {
        Some((HeaderName::from_bytes(field.name.as_bytes()).ok()?, HeaderValue::from_bytes(field.value).ok()?))
    };
    Some(fields.iter().filter_map(field).collect())
}

impl Body for Inbound {
    type Data = Bytes;
    type Error = io::Error;

    /// The next piece; trailers come last.
    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let inbound = self.get_mut();
        loop {
            let Inbound { wire: Some(wire), decoder, left, .. } = inbound else { return Poll::Ready(None) };
            let mut data = BytesMut::new();
            let decoded = wire.take(|bytes| {
                let decoded = decoder.decode(bytes, |piece| data.extend_from_slice(piece));
                decoded.map_or_else(|malformed| (0, Err(malformed)), |used| (used, Ok(())))
            });
            if let Err(malformed) = decoded {
                return Poll::Ready(Some(Err(io::Error::new(io::ErrorKind::InvalidData, malformed))));
            }
            if !data.is_empty() {
                *left = left.map(|left| left.saturating_sub(data.len() as u64));
                return Poll::Ready(Some(Ok(Frame::data(data.freeze()))));
            }
            if decoder.is_done() {
                let trailers = trailers(decoder.trailers());
                inbound.give_back(clock::instant());
                return Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))));
            }
            if ready!(wire.poll_fill(context))? == 0 && !decoder.end() {
                return Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into())));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.decoder.is_done() && self.decoder.trailers().is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

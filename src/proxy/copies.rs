//! Copies of requests for another version of the service: what of a request and its answer is kept while they pass.
//!
//! The original never waits for its copy. Nothing of a copy reaches the caller, and what is longer than [`MOST`] has none.

mod send;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use hyper::header::{CONTENT_LENGTH, EXPECT, HeaderName, HeaderValue};
use hyper::{HeaderMap, Method, Request, Uri};
use tokio::sync::{oneshot, watch};
use tokio::task::spawn_local;

use super::headers::{Identity, strip_hop_by_hop};
use super::http::{Caller, Context, Target};
use super::routing::Routed;
use super::routing::own::Local;
use crate::effects::clock;
use crate::resilience::compare::Answer;
use crate::route::Upstream;
use crate::runtime::Mirror;
use crate::telemetry::copies::{Subject, UnderWay};
use crate::telemetry::requests::Record;

/// The most of a body that is kept, in bytes.
const MOST: usize = 256 << 10;
/// The field that tells a copy; its value is the service that was asked.
const MARK: HeaderName = HeaderName::from_static("x-nagaya-mirror");
const TOO_LONG: &str = "its body is over 256 KiB";

/// The mirrors in force.
#[derive(Clone, Default)]
pub struct Mirrors(Option<watch::Receiver<Arc<Vec<Mirror>>>>);

/// A request that is copied.
pub struct Copy {
    mirror: Mirror,
    context: Context,
    caller: Caller,
    /// Where the original goes.
    target: Target,
    identity: Identity,
    local: Option<Rc<Local>>,
    subject: Subject,
    state: RefCell<State>,
}

struct State {
    /// Until it is whole, and sent.
    request: Option<Unsent>,
    upload: Vec<u8>,
    answer: Answer,
    /// Who compares the original's answer.
    waiting: Option<oneshot::Sender<Option<Answer>>>,
}

struct Unsent {
    request: Request<()>,
    under_way: UnderWay,
    original: oneshot::Receiver<Option<Answer>>,
}

/// Sees a body on its way.
pub enum Tee {
    Upload(Rc<Copy>),
    Answer(Rc<Copy>),
}

impl Tee {
    /// A piece of it.
    pub fn data(&self, data: &[u8]) {
        match self {
            Self::Upload(copy) => copy.upload(data),
            Self::Answer(copy) => copy.answer(data),
        }
    }

    /// It is whole.
    pub fn end(&self) {
        match self {
            Self::Upload(copy) => copy.send(),
            // Its record tells more.
            Self::Answer(_) => {}
        }
    }
}

impl Mirrors {
    /// Those that are published here.
    pub fn new(published: watch::Receiver<Arc<Vec<Mirror>>>) -> Self {
        Self(Some(published))
    }

    fn of(&self, upstream: &Upstream) -> Option<Mirror> {
        let mirrors = self.0.as_ref()?.borrow();
        let mirror = mirrors.iter().find(|mirror| **upstream.service() == *mirror.request.service)?;
        if *upstream.name == *mirror.request.to {
            mirror.tally.skip(&format!("{} got it anyway", upstream.name));
            return None;
        }
        Some(mirror.clone())
    }
}

impl Copy {
    /// Begins to copy a request, if one is to be; `read` gives its head as the callee gets it.
    pub fn begin(
        context: &Context,
        caller: &Caller,
        routed: &Routed,
        identity: &Identity,
        read: impl FnOnce() -> Option<Request<()>>,
    ) -> Option<Rc<Self>> {
        let mirror = context.mirrors.of(&routed.target.upstream)?;
        if fastrand::f64() * 100.0 >= mirror.request.share {
            return None;
        }
        let mut request = read()?;
        if let Some(reason) = unfit(&request, mirror.request.writes) {
            mirror.tally.skip(&reason);
            return None;
        }
        let under_way = mirror.tally.begin()?;
        let headers = request.headers_mut();
        strip_hop_by_hop(headers, false);
        headers.remove(CONTENT_LENGTH);
        headers.remove(EXPECT);
        headers.insert(MARK, HeaderValue::from_str(&mirror.request.service).ok()?);
        let subject = Subject {
            time: clock::utc(),
            id: identity.request_id().to_owned(),
            method: request.method().to_string(),
            path: request.uri().path_and_query().map_or_else(String::new, ToString::to_string),
        };
        let (waiting, original) = oneshot::channel();
        let state = State {
            request: Some(Unsent { request, under_way, original }),
            upload: Vec::new(),
            answer: Answer { body: Some(Vec::new()), ..Answer::default() },
            waiting: Some(waiting),
        };
        Some(Rc::new(Self {
            mirror,
            context: context.clone(),
            caller: caller.clone(),
            target: routed.target.clone(),
            identity: identity.clone(),
            local: routed.local().cloned(),
            subject,
            state: RefCell::new(state),
        }))
    }

    fn upload(&self, data: &[u8]) {
        let mut state = self.state.borrow_mut();
        if state.request.is_none() {
            return;
        }
        if state.upload.len() + data.len() > MOST {
            (state.request, state.upload) = (None, Vec::new());
            return self.mirror.tally.skip(TOO_LONG);
        }
        state.upload.extend_from_slice(data);
    }

    /// The request is whole: the copy goes its own way.
    pub fn send(self: &Rc<Self>) {
        let mut state = self.state.borrow_mut();
        let Some(unsent) = state.request.take() else { return };
        let body = std::mem::take(&mut state.upload);
        spawn_local(send::send(self.clone(), unsent, body));
    }

    /// The original is answered; more of that follows.
    pub fn answered<'f>(&self, status: u16, fields: impl Iterator<Item = (&'f str, &'f [u8])>) {
        if self.mirror.request.compare.is_some() {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let mut state = self.state.borrow_mut();
            state.answer.status = status;
            state.answer.fields = fields.map(|(name, value)| (name.to_owned(), text(value))).collect();
        }
    }

    /// A piece of the original's answer.
    pub fn answer(&self, data: &[u8]) {
        if self.mirror.request.compare.is_some() {
            keep(&mut self.state.borrow_mut().answer.body, data);
        }
    }

    /// The original has ended, in whichever way its record says.
    pub fn finish(&self, record: &Record) {
        let mut state = self.state.borrow_mut();
        if state.request.take().is_some() {
            self.mirror.tally.skip("its upload was not whole");
        }
        let answer = std::mem::take(&mut state.answer);
        if let Some(waiting) = state.waiting.take() {
            let is_whole = record.error.is_none() && answer.status != 0;
            let _ = waiting.send(is_whole.then_some(Answer { grpc_status: record.grpc_status, ..answer }));
        }
    }
}

/// Why a request has no copy.
fn unfit(request: &Request<()>, writes: bool) -> Option<String> {
    let method = request.method();
    match method {
        _ if request.headers().contains_key(MARK) => Some("it was a copy itself".to_owned()),
        _ if *method == Method::CONNECT || request.headers().contains_key("upgrade") => {
            Some("it changes to another protocol".to_owned())
        }
        _ if !writes && !method.is_safe() => Some(format!("{method} writes: `--writes` copies it too")),
        _ => None,
    }
}

/// Keeps what fits.
fn keep(body: &mut Option<Vec<u8>>, data: &[u8]) {
    match body {
        Some(bytes) if bytes.len() + data.len() <= MOST => bytes.extend_from_slice(data),
        _ => *body = None,
    }
}

/// The names of a head's fields as they were written: the copy's callee sees them as the original's does.
#[derive(Debug, Clone, Default)]
struct Spelled(Vec<Box<str>>);

impl Spelled {
    fn of<'n>(&'n self, name: &'n HeaderName) -> &'n str {
        let written = self.0.iter().find(|written| written.eq_ignore_ascii_case(name.as_str()));
        written.map_or(name.as_str(), |written| written)
    }
}

/// A head of HTTP/1.1 as it is sent.
pub fn read_head(text: &[u8]) -> Option<Request<()>> {
    let mut fields = [httparse::EMPTY_HEADER; 128];
    let mut head = httparse::Request::new(&mut fields);
    head.parse(text).ok()?;
    let mut request = Request::new(());
    *request.method_mut() = Method::from_bytes(head.method?.as_bytes()).ok()?;
    *request.uri_mut() = head.path?.parse::<Uri>().ok()?;
    *request.headers_mut() = HeaderMap::from_iter(head.headers.iter().filter_map(|field| {
        Some((HeaderName::from_bytes(field.name.as_bytes()).ok()?, HeaderValue::from_bytes(field.value).ok()?))
    }));
    request.extensions_mut().insert(Spelled(head.headers.iter().map(|field| field.name.into()).collect()));
    Some(request)
}

/// The fields of an answer's head, as it is passed on.
pub fn read_fields(text: &[u8]) -> Vec<(&str, &[u8])> {
    let mut fields = [httparse::EMPTY_HEADER; 128];
    let mut head = httparse::Response::new(&mut fields);
    match head.parse(text) {
        Ok(_) => head.headers.iter().map(|field| (field.name, field.value)).collect(),
        Err(_) => Vec::new(),
    }
}

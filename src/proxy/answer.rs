//! Answers that the proxy makes itself: a status, `l5d-err`, and words that name the service and the next command.

mod sought;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Request, Response, StatusCode};

pub use sought::Sought;

use super::headers::L5D_ERR;
use super::http::Target;
use super::reset::Ended;
use super::routing::Routed;
use super::unreached::Unreached;
use crate::model::Protocol;
use crate::route::Upstream;
use crate::supervise::State;

/// gRPC's code for "try again elsewhere or later".
const UNAVAILABLE: u16 = 14;
/// gRPC's code for "its time is over".
pub const DEADLINE_EXCEEDED: u16 = 4;
/// gRPC's code for "you may not".
const PERMISSION_DENIED: u16 = 7;
/// gRPC's code for "not before something else is set right", which no client tries again by itself.
const FAILED_PRECONDITION: u16 = 9;
/// gRPC's code for "whatever the state of the system".
const INVALID_ARGUMENT: u16 = 3;

/// Why a call was not passed on, or brought no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("{0} {said}", said = .1.said())]
    Absent(Arc<str>, State),
    /// With the reason, where the engine told it.
    #[error("{0} was not ready within {1:?}{reason}", reason = behind_colon(.2.as_deref()))]
    StillComing(Arc<str>, Duration, Option<String>),
    #[error("{0} is no longer part of the workspace")]
    Gone(Arc<str>),
    #[error("{0}: {1}")]
    Failed(Arc<str>, String),
    /// An address to which an entry leads, and where nothing of ours runs.
    #[error("{0}: {1}")]
    Address(Arc<str>, String),
    /// It lives outside, where nobody here can look further.
    #[error("{0}: {1}")]
    Outside(Arc<str>, String),
    #[error("{0} was called by gRPC at its port `{1}`, which is declared as HTTP")]
    NotGrpc(Arc<str>, String),
    /// With the name and number of the port.
    #[error("{0} speaks HTTP/2 alone at its port `{1}`, which is declared as HTTP/1.1")]
    OnlyHttp2(Arc<str>, String, u16),
    /// With what would have to be declared.
    #[error("{0}: it has no port that speaks HTTP")]
    NotWeb(Arc<str>, String),
    /// With the callee that it was asked of.
    #[error("{0}{1}")]
    Ended(Arc<str>, Ended),
    #[error("no service is called `{0}`")]
    Unknown(String),
    #[error("{0} did not accept the connection in time")]
    Silent(Arc<str>),
    #[error("the request is malformed: {0}")]
    Malformed(String),
    #[error("the request cannot be read: {0}")]
    TooLarge(String),
    #[error("the request cannot be read: {0}")]
    Unsupported(String),
    /// The entries that it brings cannot be read; the excerpt shows where.
    #[error("{text}")]
    BadOverride { text: String, excerpt: String, is_too_large: bool },
    /// It is in another place, and cannot be called there.
    #[error(transparent)]
    Away(#[from] Unreached),
    /// A name, or an entry, that leads nowhere; why; and what would have to be there.
    #[error("{0} leads nowhere: {1}")]
    Unrouted(String, String, Sought),
    /// Who calls, and whom.
    #[error("`strict: true` forbids {0} to call {1}, as the manifest does not have that call")]
    Undeclared(Arc<str>, Arc<str>),
    #[error("the request goes round in circles: {0}")]
    Looped(String),
    /// Who made the last call, and all who call each other.
    #[error("the request goes round in circles: {1}")]
    Endless(Arc<str>, String),
    #[error("the request cannot be read: its version is neither HTTP/1.0 nor HTTP/1.1")]
    Version,
    /// Its head was begun and took longer than this.
    #[error("the request cannot be read: its head did not come within {0:?}")]
    Late(Duration),
}

/// What the asker understands.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asker {
    pub is_grpc: bool,
    /// It shows pages.
    pub is_browser: bool,
    /// The time that it gave a call by gRPC is over.
    pub is_late: bool,
}

impl Asker {
    /// Who asks by this request.
    pub fn of<B>(request: &Request<B>, is_grpc: bool) -> Self {
        let accept = request.headers().get(ACCEPT).map_or(&b""[..], HeaderValue::as_bytes);
        Self { is_grpc, ..Self::accepting(accept) }
    }

    /// Who asks with this `Accept`.
    pub fn accepting(accept: &[u8]) -> Self {
        const PAGE: &[u8] = b"text/html";
        // Most programs ask for `*/*` or nothing, which is told by its length.
        let is_browser = accept.len() >= PAGE.len() && memchr::memmem::find(accept, PAGE).is_some();
        Self { is_browser, ..Self::default() }
    }
}

/// An answer that is whole.
pub type Answer = Response<Bytes>;

impl Refusal {
    /// The service that did not answer.
    pub fn service(&self) -> Option<&str> {
        match self {
            Self::Absent(name, _) | Self::StillComing(name, ..) | Self::Gone(name) => Some(name),
            Self::Address(name, _) => Some(name),
            Self::Failed(name, _) | Self::Outside(name, _) | Self::NotGrpc(name, _) | Self::Silent(name) => Some(name),
            Self::Unrouted(_, _, sought) => sought.service(),
            Self::OnlyHttp2(name, ..) | Self::NotWeb(name, _) | Self::Ended(name, _) => Some(name),
            Self::Away(_) | Self::Version | Self::Late(_) => None,
            Self::Unknown(_) | Self::Malformed(_) | Self::TooLarge(_) | Self::Unsupported(_) => None,
            // What it said last is nothing for whoever may not call it.
            Self::BadOverride { .. } | Self::Looped(_) | Self::Endless(..) | Self::Undeclared(..) => None,
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Absent(..) | Self::StillComing(..) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Gone(_) | Self::Failed(..) | Self::Outside(..) | Self::NotGrpc(..) => StatusCode::BAD_GATEWAY,
            Self::Unrouted(..) | Self::Address(..) => StatusCode::BAD_GATEWAY,
            Self::Undeclared(..) => StatusCode::FORBIDDEN,
            Self::Away(unreached) if unreached.is_late() => StatusCode::GATEWAY_TIMEOUT,
            Self::Away(_) => StatusCode::BAD_GATEWAY,
            Self::Looped(_) | Self::Endless(..) => StatusCode::LOOP_DETECTED,
            Self::OnlyHttp2(..) | Self::NotWeb(..) => StatusCode::BAD_GATEWAY,
            Self::Ended(..) if self.is_unprocessed() => StatusCode::SERVICE_UNAVAILABLE,
            Self::Ended(..) => StatusCode::BAD_GATEWAY,
            Self::Version => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            Self::Late(_) => StatusCode::REQUEST_TIMEOUT,
            Self::Unknown(_) => StatusCode::NOT_FOUND,
            Self::Silent(_) => StatusCode::GATEWAY_TIMEOUT,
            Self::BadOverride { is_too_large: false, .. } | Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::BadOverride { .. } | Self::TooLarge(_) => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Unsupported(_) => StatusCode::NOT_IMPLEMENTED,
        }
    }

    /// Whether the callee has done nothing with the request, which can then be made again without harm (RFC 9113 section
    /// 8.7).
    pub fn is_unprocessed(&self) -> bool {
        matches!(self, Self::Ended(_, Ended::Reset(Reason::REFUSED_STREAM)))
    }

    /// What brought no answer, wherever it is.
    pub fn failed(upstream: &Upstream, reason: String) -> Self {
        match &upstream.remote {
            Some(remote) => Unreached::because(upstream.service(), remote, reason).into(),
            None if upstream.is_address() => Self::Address(upstream.name.clone(), reason),
            None => Self::Failed(upstream.name.clone(), reason),
        }
    }

    /// The same of a request that was led so.
    pub fn led(self, routed: &Routed) -> Self {
        match (self, routed.by()) {
            (Self::Away(unreached), Some(by)) => Self::Away(unreached.by(by)),
            (refusal, _) => refusal,
        }
    }

    /// The same of a request that these words behind `dtab explain` tell it of: others may be led elsewhere.
    pub fn of_request(self, words: &str) -> Self {
        match self {
            Self::Unrouted(name, reason, Sought::End(way)) => {
                Self::Unrouted(name, reason, Sought::End(format!("{way} {words}")))
            }
            refusal => refusal,
        }
    }

    /// What was ended before there was an answer.
    pub fn ended(upstream: &Upstream, ended: Ended) -> Self {
        let own = Self::Ended(upstream.name.clone(), ended);
        match &upstream.remote {
            Some(remote) if !own.is_unprocessed() => {
                Unreached::because(upstream.service(), remote, format!("it{ended}")).into()
            }
            None if upstream.is_address() && !own.is_unprocessed() => {
                Self::Address(upstream.name.clone(), format!("it{ended}"))
            }
            _ => own,
        }
    }

    /// What a port that answers by HTTP/2 alone is told.
    pub fn only_http2(target: &Target) -> Self {
        let endpoint = target.endpoint();
        Self::OnlyHttp2(target.upstream.name.clone(), endpoint.name.clone(), endpoint.number)
    }

    /// What a service without a port for browsers is told.
    pub fn not_web(upstream: &Upstream) -> Self {
        let streams = upstream.ports.iter().find(|port| port.protocol != Protocol::Udp);
        let declaration = match streams {
            Some(port) => format!("`{}: {{ port: {}, protocol: http }}`, if that one does", port.name, port.number),
            None => "for example `http: 8080`".to_owned(),
        };
        Self::NotWeb(upstream.name.clone(), declaration)
    }

    /// The command that shows more, or helps; where it is no command, words.
    pub fn next(&self) -> String {
        match self {
            Self::OnlyHttp2(name, port, number) => {
                format!("declare `{port}: {{ port: {number}, protocol: h2 }}` in the `ports` of {name}")
            }
            Self::NotWeb(name, declaration) => format!("declare one in the `ports` of {name}: {declaration}"),
            Self::Undeclared(from, to) => {
                format!("`depends_on: [{to}]` in {from}, or an address of {to} in its variables")
            }
            Self::Ended(name, _) => format!("nagaya logs {name}"),
            Self::Version | Self::Late(_) => "look at what the client sends".to_owned(),
            Self::Absent(name, State::Stopped) => format!("nagaya start {name}"),
            Self::Absent(name, _) | Self::StillComing(name, ..) | Self::Silent(name) => format!("nagaya why {name}"),
            // There are no logs.
            Self::Address(at, _) => {
                format!("start what is to answer at {at}, or change the entry that leads there: nagaya dtab list")
            }
            Self::Failed(name, _) => format!("nagaya logs {name}"),
            Self::Outside(name, _) => format!("nagaya requests {name}"),
            Self::NotGrpc(name, port) => format!("declare it as `{port}: {{ port: …, protocol: grpc }}` in {name}"),
            Self::Unrouted(_, _, sought) => sought.next(),
            Self::Gone(_) | Self::Unknown(_) => "nagaya ps".to_owned(),
            Self::Away(unreached) => unreached.next(),
            Self::Looped(_) => "nagaya config".to_owned(),
            Self::Endless(name, _) => format!("nagaya requests {name}"),
            Self::BadOverride { .. } => {
                "correct it where the request is made; `nagaya dtab list` has the routes".to_owned()
            }
            Self::Malformed(_) | Self::TooLarge(_) | Self::Unsupported(_) => "look at what the client sends".to_owned(),
        }
    }

    /// The answer, in the asker's language.
    pub fn response(&self, asker: Asker) -> Answer {
        let text = self.to_string();
        let mut response = if asker.is_grpc { grpc(&text, self.grpc_status(asker)) } else { self.http(&text) };
        let headers = response.headers_mut();
        // Encoded as linkerd 1 did it, as a form is: whoever reads that header decodes it.
        let encoded: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
        headers.insert(L5D_ERR, HeaderValue::from_str(&encoded).unwrap_or(HeaderValue::from_static("error")));
        response
    }

    /// The code for callers who speak gRPC.
    pub fn grpc_status(&self, asker: Asker) -> u16 {
        match self {
            // Whatever it was, it waits for nothing else any more.
            _ if asker.is_late => DEADLINE_EXCEEDED,
            Self::Malformed(_) | Self::BadOverride { .. } => INVALID_ARGUMENT,
            Self::Undeclared(..) => PERMISSION_DENIED,
            Self::Looped(_) | Self::Endless(..) => FAILED_PRECONDITION,
            _ => UNAVAILABLE,
        }
    }

    /// Lines of what was sent, with a mark below what is wrong.
    pub fn excerpt(&self) -> &str {
        if let Self::BadOverride { excerpt, .. } = self { excerpt } else { "" }
    }

    /// Whether what comes next is to be done, and no command to look further.
    fn has_remedy(&self) -> bool {
        let is_sought_in_vain = matches!(
            self,
            Self::Unrouted(_, _, Sought::File(_) | Sought::BadFile(_) | Sought::Prefixed(_) | Sought::Override)
        );
        let is_declared_otherwise =
            matches!(self, Self::NotGrpc(..) | Self::OnlyHttp2(..) | Self::NotWeb(..) | Self::Undeclared(..));
        let is_led_astray = matches!(self, Self::Away(_) | Self::Address(..) | Self::BadOverride { .. });
        is_sought_in_vain || is_declared_otherwise || is_led_astray
    }

    fn http(&self, text: &str) -> Answer {
        let lead = if self.has_remedy() { "what helps" } else { "to see more" };
        let excerpt: String = self.excerpt().lines().map(|line| format!("    {line}\n")).collect();
        let mut response = Response::new(format!("nagaya: {text}\n{excerpt}{lead}: {}\n", self.next()).into());
        *response.status_mut() = self.status();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        if self.status() == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

fn behind_colon(reason: Option<&str>) -> String {
    reason.map(|reason| format!(": {reason}")).unwrap_or_default()
}

/// Trailers only: HTTP is fine, the call is not (gRPC over HTTP2, "Responses").
fn grpc(text: &str, status: u16) -> Answer {
    let mut response = Answer::default();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert("grpc-status", HeaderValue::from(status));
    headers.insert("grpc-message", HeaderValue::from_str(&percent(text)).unwrap_or(HeaderValue::from_static("")));
    response
}

/// gRPC's encoding of messages: visible ASCII but `%` stays.
fn percent(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b' '..=b'~' if byte != b'%' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal() -> Refusal {
        Refusal::Absent("users".into(), State::Failed)
    }

    #[test]
    fn every_asker_is_answered_in_its_language() {
        let plain = refusal().response(Asker::default());
        assert_eq!(plain.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(plain.headers()[L5D_ERR], "users+has+failed");
        assert_eq!(plain.headers()[RETRY_AFTER], "1");
        assert_eq!(plain.body(), "nagaya: users has failed\nto see more: nagaya why users\n");
        let grpc = refusal().response(Asker { is_grpc: true, ..Asker::default() });
        assert_eq!((grpc.status(), &grpc.headers()["grpc-status"]), (StatusCode::OK, &HeaderValue::from_static("14")));
    }

    #[test]
    fn a_circle_is_nothing_to_try_again() {
        let endless = || Refusal::Endless("web".into(), "web calls web, and so on".to_owned());
        assert_eq!(endless().response(Asker::default()).status(), StatusCode::LOOP_DETECTED);
        let grpc = endless().response(Asker { is_grpc: true, ..Asker::default() });
        assert_eq!(grpc.headers()["grpc-status"], "9");
        assert!(grpc.headers().get(RETRY_AFTER).is_none());
    }

    #[test]
    fn what_helps_is_what_can_be_done() {
        let nowhere = |sought| Refusal::Unrouted("/svc/a".to_owned(), "it is not there".to_owned(), sought);
        let cases = [
            (Refusal::Failed("users".into(), String::new()), "nagaya logs users"),
            (Refusal::Address("127.0.0.1:9".into(), String::new()), "start what is to answer at 127.0.0.1:9"),
            (nowhere(Sought::Service("users".into())), "nagaya why users"),
            (nowhere(Sought::Remote), "nagaya remote"),
            (nowhere(Sought::File("a/b".to_owned())), "into the file disco/a/b beside the manifest"),
            (nowhere(Sought::BadFile("a/b".to_owned())), "correct the file disco/a/b beside the manifest"),
            (nowhere(Sought::Prefixed("/users".to_owned())), "without `/svc`, which is put before it: `/users`"),
            (nowhere(Sought::Other), "nagaya ps"),
        ];
        for (refusal, next) in cases {
            assert!(refusal.next().contains(next), "{}", refusal.next());
        }
    }

    #[test]
    fn texts_are_made_safe() {
        assert_eq!(percent("50% ü"), "50%25 %C3%BC");
        let odd = Refusal::Unknown("ü\n".into()).response(Asker::default());
        assert_eq!(odd.headers()[L5D_ERR], "no+service+is+called+%60%C3%BC%0A%60");
    }
}

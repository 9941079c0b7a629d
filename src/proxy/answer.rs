//! Answers that the proxy makes itself: a status, `l5d-err`, and words that name the service and the next command.

use std::sync::Arc;
use std::time::Duration;

use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Request, Response, StatusCode};

use super::body::Body;
use super::headers::L5D_ERR;
use crate::supervise::State;

/// gRPC's code for "try again elsewhere or later".
pub const UNAVAILABLE: u16 = 14;

/// Why a call was not passed on, or brought no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("{0} is {word}", word = .1.word())]
    Absent(Arc<str>, State),
    #[error("{0} was not ready within {1:?}")]
    StillComing(Arc<str>, Duration),
    #[error("{0} is no longer part of the workspace")]
    Gone(Arc<str>),
    #[error("{0}: {1}")]
    Failed(Arc<str>, String),
    /// It lives outside, where nobody here can look further.
    #[error("{0}: {1}")]
    Outside(Arc<str>, String),
    #[error("{0} was called by gRPC at its port `{1}`, which is declared as HTTP")]
    NotGrpc(Arc<str>, String),
    #[error("no service is called `{0}`")]
    Unknown(String),
}

/// What the asker understands.
pub struct Asker {
    is_grpc: bool,
    is_browser: bool,
}

impl Asker {
    /// Who asks by this request.
    pub fn of<B>(request: &Request<B>, is_grpc: bool) -> Self {
        let accept = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("");
        Self { is_grpc, is_browser: accept.contains("text/html") }
    }
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::Absent(..) | Self::StillComing(..) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Gone(_) | Self::Failed(..) | Self::Outside(..) | Self::NotGrpc(..) => StatusCode::BAD_GATEWAY,
            Self::Unknown(_) => StatusCode::NOT_FOUND,
        }
    }

    fn next(&self) -> String {
        match self {
            Self::Absent(name, State::Stopped) => format!("nagaya start {name}"),
            Self::Absent(name, _) | Self::StillComing(name, _) => format!("nagaya why {name}"),
            Self::Failed(name, _) => format!("nagaya logs {name}"),
            Self::Outside(name, _) => format!("nagaya requests {name}"),
            Self::NotGrpc(name, port) => format!("declare it as `{port}: {{ port: …, protocol: grpc }}` in {name}"),
            Self::Gone(_) | Self::Unknown(_) => "nagaya ps".to_owned(),
        }
    }

    /// The answer, in the asker's language.
    pub fn response(&self, asker: &Asker) -> Response<Body> {
        let text = self.to_string();
        let mut response = if asker.is_grpc { grpc(&text) } else { self.http(&text, asker) };
        let headers = response.headers_mut();
        // A header holds visible ASCII; what does not fit is said in the body.
        let ascii: String = text.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect();
        headers.insert(L5D_ERR, HeaderValue::from_str(&ascii).unwrap_or(HeaderValue::from_static("error")));
        response
    }

    fn http(&self, text: &str, asker: &Asker) -> Response<Body> {
        let next = self.next();
        let (body, kind) = match asker.is_browser {
            true => (page(self.status(), text, &next), "text/html; charset=utf-8"),
            false => (format!("nagaya: {text}\nto see more: {next}\n"), "text/plain; charset=utf-8"),
        };
        let mut response = Response::new(Body::text(body));
        *response.status_mut() = self.status();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        if self.status() == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// Trailers only: HTTP is fine, the call is not (gRPC over HTTP2, "Responses").
fn grpc(text: &str) -> Response<Body> {
    let mut response = Response::new(Body::text(""));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert("grpc-status", HeaderValue::from(UNAVAILABLE));
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

fn page(status: StatusCode, text: &str, next: &str) -> String {
    let (text, next) = (escape(text), escape(next));
    format!(
        "<!doctype html><meta charset=utf-8><title>{status}</title>{STYLE}\
         <main><h1>{status}</h1><p>{text}</p><p>To see more: <code>{next}</code></p></main>"
    )
}

/// The look of the few pages that are ours.
pub const STYLE: &str = "<style>body{font:16px/1.5 system-ui,sans-serif;margin:3rem auto;max-width:44rem;padding:0 1rem;\
    color-scheme:light dark}h1{font-size:1.3rem}code{background:#8883;padding:.1em .4em;border-radius:.3em}\
    td,th{text-align:left;padding:.2rem 1.2rem .2rem 0}</style>";

/// Text as HTML.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal() -> Refusal {
        Refusal::Absent("users".into(), State::Failed)
    }

    #[test]
    fn every_asker_is_answered_in_its_language() {
        let plain = refusal().response(&Asker { is_grpc: false, is_browser: false });
        assert_eq!(plain.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(plain.headers()[L5D_ERR], "users is failed");
        assert_eq!(plain.headers()[RETRY_AFTER], "1");
        let grpc = refusal().response(&Asker { is_grpc: true, is_browser: false });
        assert_eq!((grpc.status(), &grpc.headers()["grpc-status"]), (StatusCode::OK, &HeaderValue::from_static("14")));
        let page = refusal().response(&Asker { is_grpc: false, is_browser: true });
        assert_eq!(page.headers()[CONTENT_TYPE], "text/html; charset=utf-8");
    }

    #[test]
    fn texts_are_made_safe() {
        assert_eq!(escape("<a href=\"x\">&"), "&lt;a href=&quot;x&quot;&gt;&amp;");
        assert_eq!(percent("50% ü"), "50%25 %C3%BC");
        let odd = Refusal::Unknown("ü\n".into()).response(&Asker { is_grpc: false, is_browser: false });
        assert_eq!(odd.headers()[L5D_ERR], "no service is called `??`");
    }
}

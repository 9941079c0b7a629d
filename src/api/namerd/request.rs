//! What is asked, and by whom.

use std::collections::HashMap;

use axum::body::Bytes;
use axum::http::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderValue, ORIGIN};
use axum::http::request::Parts;
use serde::Deserialize;

use super::codec::media_type;
use crate::route::host_name;

/// Whether a request is from a program of this machine, and not from a stranger's page whose name was made to lead here,
/// or that sends to wherever it likes.
pub fn is_own(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(HOST).and_then(text) else { return false };
    let is_local = ["localhost", "127.0.0.1", "[::1]"].iter().any(|own| host_name(host).eq_ignore_ascii_case(own));
    let is_same =
        |origin: &HeaderValue| text(origin).and_then(|it| it.split_once("://")).is_some_and(|it| it.1 == host);
    is_local && headers.get(ORIGIN).is_none_or(is_same)
}

/// A header's text.
pub fn text(value: &HeaderValue) -> Option<&str> {
    value.to_str().ok()
}

/// The parameters of a request, in its address or sent as a form. Of several of a name the first counts.
#[derive(Debug, Default)]
pub struct Parameters(HashMap<String, String>);

impl Parameters {
    /// Those of a request.
    pub fn of(parts: &Parts, body: &Bytes) -> Self {
        let kind = parts.headers.get(CONTENT_TYPE).map(|kind| media_type(kind.as_bytes()));
        let form = kind.filter(|kind| kind == "application/x-www-form-urlencoded").map_or(&b""[..], |_| body);
        let query = parts.uri.query().unwrap_or_default().as_bytes();
        let mut found = HashMap::new();
        for (name, value) in form_urlencoded::parse(query).chain(form_urlencoded::parse(form)) {
            found.entry(name.into_owned()).or_insert_with(|| value.into_owned());
        }
        Self(found)
    }

    /// Those of a delegation request in JSON (`DelegationRequest`).
    pub fn of_json(body: &Bytes) -> Result<Self, serde_json::Error> {
        #[derive(Deserialize)]
        struct Asked {
            namespace: Option<String>,
            dtab: String,
            path: String,
        }
        let Asked { namespace, dtab, path } = serde_json::from_slice(body)?;
        let named = [("dtab", dtab), ("path", path)].into_iter().chain(namespace.map(|it| ("namespace", it)));
        Ok(Self(named.map(|(name, value)| (name.to_owned(), value)).collect()))
    }

    /// One of them.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Whether all answers are wanted, as they change (finagle: `StringUtil.toBoolean`).
    pub fn is_watched(&self) -> bool {
        self.get("watch").is_some_and(|value| ["1", "t", "true"].iter().any(|yes| value.eq_ignore_ascii_case(yes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_strangers_are_nobody() {
        let own = |host: Option<&'static str>, origin: Option<&'static str>| {
            let headers = [(HOST, host), (ORIGIN, origin)].into_iter();
            let headers = headers.filter_map(|(name, value)| Some((name, HeaderValue::from_static(value?))));
            is_own(&headers.collect())
        };
        assert!(own(Some("127.0.0.1:4180"), None) && own(Some("localhost"), None) && own(Some("[::1]:1"), None));
        assert!(own(Some("localhost:4180"), Some("http://localhost:4180")));
        for (host, origin) in [
            (None, None),
            (Some("example.com:4180"), None),
            (Some("127.0.0.1.example.com"), None),
            (Some("localhost:4180"), Some("http://example.com")),
            (Some("localhost:4180"), Some("http://localhost:8080")),
            (Some("localhost:4180"), Some("null")),
        ] {
            assert!(!own(host, origin), "{host:?} {origin:?}");
        }
    }
}

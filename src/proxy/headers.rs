//! Headers on their way through: hop-by-hop ones stay, identity is added.

use crate::effects::clock;
use std::sync::Arc;

use hyper::HeaderMap;
use hyper::header::{CONNECTION, HeaderName, HeaderValue, TE, TRANSFER_ENCODING, UPGRADE};

pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// Present exactly on answers that the proxy made itself (linkerd).
pub const L5D_ERR: HeaderName = HeaderName::from_static("l5d-err");

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// Who a request is, for logs and traces.
#[derive(Debug, Clone)]
pub struct Identity {
    pub request_id: Arc<str>,
    pub trace_id: Arc<str>,
}

/// Takes away what is for this hop only (RFC 9110 section 7.6.1), but for the wish to upgrade where that is passed on.
pub fn strip_hop_by_hop(headers: &mut HeaderMap, keep_upgrade: bool) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named {
        if name != UPGRADE || !keep_upgrade {
            headers.remove(name);
        }
    }
    let trailers = headers.get(TE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"trailers"));
    for name in [CONNECTION, KEEP_ALIVE, PROXY_CONNECTION, TE, TRANSFER_ENCODING] {
        headers.remove(name);
    }
    if trailers {
        // The one value that is end to end in effect: gRPC servers insist on it.
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
    if keep_upgrade {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    } else {
        headers.remove(UPGRADE);
    }
}

/// Keeps or makes the request's id, and puts this hop into its trace (W3C Trace Context level 2).
pub fn identify(headers: &mut HeaderMap) -> Identity {
    let known = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok()).filter(|id| is_request_id(id));
    let request_id: Arc<str> = match known {
        Some(id) => id.into(),
        None => {
            let id = new_request_id();
            if let Ok(value) = HeaderValue::from_str(&id) {
                headers.insert(REQUEST_ID, value);
            }
            id.into()
        }
    };
    let parent = headers.get(TRACEPARENT).and_then(|value| value.to_str().ok()).and_then(Parent::parse);
    let parent = parent.unwrap_or_else(Parent::new);
    let span = fastrand::u64(1..);
    if let Ok(value) = HeaderValue::from_str(&format!("00-{}-{span:016x}-{:02x}", parent.trace_id, parent.flags)) {
        headers.insert(TRACEPARENT, value);
    }
    Identity { request_id, trace_id: parent.trace_id.into() }
}

/// 1 to 128 visible ASCII characters.
fn is_request_id(id: &str) -> bool {
    (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A UUID of version 7 (RFC 9562): ids sort by time.
fn new_request_id() -> String {
    let millis = u128::from(clock::utc().as_millisecond().unsigned_abs());
    let random = fastrand::u128(..);
    let id = (millis << 80) | (random & 0x0fff_3fff_ffff_ffff_ffff) | (7 << 76) | (0b10 << 62);
    let hex = format!("{id:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

#[derive(Debug, PartialEq, Eq)]
struct Parent {
    trace_id: String,
    flags: u8,
}

impl Parent {
    /// A trace that begins here, sampled.
    fn new() -> Self {
        Self { trace_id: format!("{:032x}", fastrand::u128(1..)), flags: 1 }
    }

    /// `00-<32 hex>-<16 hex>-<2 hex>` in lower case; later versions may go on after a dash.
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (version, rest) = (text.get(..2)?, text.get(2..55)?);
        let [_, trace_id, span, flags] = rest.split('-').collect::<Vec<_>>().try_into().ok()?;
        let lower_hex = |word: &str, length: usize| {
            word.len() == length && word.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        let longer = text.len() == 55 || (version != "00" && text.as_bytes()[55] == b'-');
        let valid = lower_hex(version, 2)
            && version != "ff"
            && longer
            && lower_hex(trace_id, 32)
            && lower_hex(span, 16)
            && lower_hex(flags, 2)
            && trace_id.bytes().any(|byte| byte != b'0')
            && span.bytes().any(|byte| byte != b'0');
        valid.then(|| Self { trace_id: trace_id.to_owned(), flags: u8::from_str_radix(flags, 16).unwrap_or(0) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

    #[test]
    fn traceparent_is_read_as_the_standard_says() {
        let good = [
            format!("00-{TRACE}-b7ad6b7169203331-01"),
            format!("01-{TRACE}-b7ad6b7169203331-01-more"),
            format!("cc-{TRACE}-b7ad6b7169203331-01"),
        ];
        for text in good {
            assert_eq!(Parent::parse(&text).unwrap().trace_id, TRACE, "{text}");
        }
        let bad = [
            String::new(),
            format!("00-{TRACE}-b7ad6b7169203331"),
            format!("ff-{TRACE}-b7ad6b7169203331-01"),
            format!("00-{TRACE}-0000000000000000-01"),
            format!("00-{}-b7ad6b7169203331-01", "0".repeat(32)),
            format!("00-{}-b7ad6b7169203331-01", TRACE.to_uppercase()),
            format!("00-{TRACE}-b7ad6b7169203331-01-more"),
            format!("00-{TRACE}-b7ad6b7169203331-0é"),
        ];
        for text in bad {
            assert_eq!(Parent::parse(&text), None, "{text}");
        }
    }

    #[test]
    fn ids_are_kept_or_made() {
        let mut headers = HeaderMap::new();
        let made = identify(&mut headers);
        assert_eq!(made.request_id.len(), 36);
        assert_eq!(&made.request_id[14..15], "7");
        assert_eq!(headers[REQUEST_ID], &*made.request_id);
        let again = identify(&mut headers);
        assert_eq!((again.request_id, again.trace_id), (made.request_id, made.trace_id));
        headers.insert(REQUEST_ID, HeaderValue::from_static("with space"));
        assert_eq!(identify(&mut headers).request_id.len(), 36);
    }

    #[test]
    fn hop_by_hop_headers_stay_behind() {
        let mut headers = HeaderMap::new();
        for (name, value) in
            [("connection", "close, x-own"), ("x-own", "1"), ("te", "trailers"), ("upgrade", "h2c"), ("a", "b")]
        {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        strip_hop_by_hop(&mut headers, false);
        let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["a", "te"]);
    }
}

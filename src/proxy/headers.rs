//! Headers on their way through: hop-by-hop ones stay, identity is added.

use hyper::header::{
    CONNECTION, CONTENT_LENGTH, HOST, HeaderName, HeaderValue, InvalidHeaderValue, TE, TRANSFER_ENCODING, UPGRADE,
};
use hyper::{HeaderMap, Response, StatusCode};
use jiff::Timestamp;

use super::link::Hops;
use crate::view::withheld;

pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// Present exactly on answers that the proxy made itself (linkerd).
pub const L5D_ERR: HeaderName = HeaderName::from_static("l5d-err");

/// Who was not given a request's entries on its way, as it is not sure that its call was of that request. In the answer.
pub const WITHHELD: HeaderName = HeaderName::from_static("l5d-ctx-dtab-withheld");

const B3: HeaderName = HeaderName::from_static("b3");
const B3_TRACE: HeaderName = HeaderName::from_static("x-b3-traceid");
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// Who a request is, for logs and traces.
#[derive(Debug, Clone)]
pub struct Identity {
    id: Id,
    pub trace_id: u128,
    /// This hop.
    span: u64,
    flags: u8,
    /// The trace came with the request.
    is_traced: bool,
    /// The hop that the request said it came of; none is 0.
    parent: u64,
    /// How many calls led to it.
    pub hops: Hops,
}

/// What a request says of who it is.
#[derive(Debug, Clone, Copy, Default)]
pub struct Given<'a> {
    pub request_id: Option<&'a [u8]>,
    pub traceparent: Option<&'a [u8]>,
    /// The id of its trace as Zipkin has it, in `b3` or `x-b3-traceid`.
    pub b3: Option<&'a [u8]>,
}

#[derive(Debug, Clone)]
enum Id {
    Given(Box<str>),
    Made([u8; 36]),
}

impl Identity {
    /// Keeps or makes a request's id, and puts this hop into its trace (W3C Trace Context level 2).
    pub fn of(now: Timestamp, given: &Given<'_>) -> Self {
        let id = given.request_id.and_then(|id| std::str::from_utf8(id).ok()).filter(|id| is_request_id(id));
        let id = id.map_or_else(|| Id::Made(new_request_id(now)), |id| Id::Given(id.into()));
        let trace = given.traceparent.and_then(parent).or_else(|| Some((zipkin_trace(given.b3?)?, 0, 1)));
        let (trace_id, parent, flags) = trace.unwrap_or_else(|| (fastrand::u128(1..), 0, 1));
        let (span, is_traced) = (fastrand::u64(1..), trace.is_some());
        Self { id, trace_id, span, flags, is_traced, parent, hops: Hops::default() }
    }

    /// Whether the request said itself that it came of this very hop of another: its program handed on what it got.
    pub fn is_below(&self, other: &Self) -> bool {
        self.is_traced && self.parent == other.span && self.trace_id == other.trace_id
    }

    /// Whether the request said itself that it is of the same trace, or the same request, as another.
    pub fn names(&self, other: &Self) -> bool {
        (self.is_traced && self.trace_id == other.trace_id)
            || (matches!(self.id, Id::Given(_)) && self.id() == other.id())
    }

    /// Takes from the request that it came from what it did not say itself.
    pub fn follow(&mut self, from: &Self) {
        if matches!(self.id, Id::Made(_)) {
            self.id = from.id.clone();
        }
        if !self.is_traced {
            (self.trace_id, self.flags) = (from.trace_id, from.flags);
        }
    }

    pub fn request_id(&self) -> &str {
        match &self.id {
            Id::Given(id) => id,
            Id::Made(id) => std::str::from_utf8(id).unwrap_or(""),
        }
    }

    /// The same, to be written.
    pub fn id(&self) -> &[u8] {
        match &self.id {
            Id::Given(id) => id.as_bytes(),
            Id::Made(id) => id,
        }
    }

    /// The header for the next hop: `00-<32 hex>-<16 hex>-<2 hex>`.
    pub fn traceparent(&self) -> [u8; 55] {
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
        hex(&self.trace_id.to_be_bytes(), &mut text[3..35]);
        hex(&self.span.to_be_bytes(), &mut text[36..52]);
        hex(&[self.flags], &mut text[53..]);
        text
    }
}

/// Writes bytes, two digits each.
fn hex(bytes: &[u8], room: &mut [u8]) {
    for (byte, digits) in bytes.iter().zip(room.as_chunks_mut().0) {
        *digits = HEX[usize::from(*byte)];
    }
}

/// The digits of every byte.
const HEX: [[u8; 2]; 256] = {
    let digits = b"0123456789abcdef";
    let mut table = [[0; 2]; 256];
    let mut byte = 0;
    while byte < table.len() {
        table[byte] = [digits[byte >> 4], digits[byte & 0xf]];
        byte += 1;
    }
    table
};

/// Takes away what is for this hop only (RFC 9110 section 7.6.1), but for the wish to upgrade where that is passed on.
/// Whom a message is for and where it ends is told to everybody, whatever `Connection` names.
pub fn strip_hop_by_hop(headers: &mut HeaderMap, keep_upgrade: bool) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named {
        let stays = name == HOST || name == CONTENT_LENGTH || (name == UPGRADE && keep_upgrade);
        if !stays {
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

/// A 204 has no body, whatever length it tells (RFC 9110 section 8.6). Callers by HTTP/2 would wait for one, or find the
/// answer malformed (RFC 9113 section 8.1.1).
pub fn drop_false_length<B>(response: &mut Response<B>) {
    if response.status() == StatusCode::NO_CONTENT {
        response.headers_mut().remove(CONTENT_LENGTH);
    }
}

/// What headers say of who a request is.
pub fn given(headers: &HeaderMap) -> Given<'_> {
    let bytes = |name| headers.get(name).map(HeaderValue::as_bytes);
    let b3 = || bytes(B3).or_else(|| bytes(B3_TRACE));
    let traceparent = bytes(TRACEPARENT);
    Given { request_id: bytes(REQUEST_ID), traceparent, b3: if traceparent.is_some() { None } else { b3() } }
}

/// Writes who a request is.
pub fn tell(identity: &Identity, headers: &mut HeaderMap) {
    for (name, value) in [(REQUEST_ID, identity.id()), (TRACEPARENT, &identity.traceparent())] {
        if let Ok(value) = once(value) {
            headers.insert(name, value);
        }
    }
}

/// Tells it, where that is so.
pub fn tell_withheld(by: Option<&str>, headers: &mut HeaderMap) {
    if let Some(Ok(value)) = by.map(|by| HeaderValue::from_str(&withheld(by))) {
        headers.insert(WITHHELD, value);
    }
}

/// A value that comes once and never again. Marked so, HTTP/2 does not put it into the table of what may come again,
/// where it would push out what does.
pub fn once(value: &[u8]) -> Result<HeaderValue, InvalidHeaderValue> {
    let mut value = HeaderValue::from_bytes(value)?;
    value.set_sensitive(true);
    Ok(value)
}

/// 1 to 128 visible ASCII characters.
fn is_request_id(id: &str) -> bool {
    (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A UUID of version 7 (RFC 9562): ids sort by time.
fn new_request_id(now: Timestamp) -> [u8; 36] {
    let millis = u128::from(now.as_millisecond().unsigned_abs());
    let random = fastrand::u128(..);
    let id = (millis << 80) | (random & 0x0fff_3fff_ffff_ffff_ffff) | (7 << 76) | (0b10 << 62);
    let (mut digits, mut text) = ([0; 32], *b"00000000-0000-0000-0000-000000000000");
    hex(&id.to_be_bytes(), &mut digits);
    for (from, to) in [(0..8, 0..8), (8..12, 9..13), (12..16, 14..18), (16..20, 19..23), (20..32, 24..36)] {
        text[to].copy_from_slice(&digits[from]);
    }
    text
}

/// The trace, the hop and the flags, from `00-<32 hex>-<16 hex>-<2 hex>` in lower case; later versions may go on after a dash.
fn parent(value: &[u8]) -> Option<(u128, u64, u8)> {
    let text = value.trim_ascii();
    let [version, trace, span, flags] =
        [text.get(..2)?, text.get(3..35)?, text.get(36..52)?, text.get(53..55)?].map(number);
    let dashes = [2, 35, 52].iter().all(|at| text[*at] == b'-');
    let length = text.len() == 55 || (version != Some(0) && text[55] == b'-');
    let (version, trace, span) = (version?, trace?, span?);
    let valid = dashes && length && version != 0xff && trace != 0 && span != 0;
    Some((trace, u64::try_from(span).ok()?, u8::try_from(flags?).ok()?)).filter(|_| valid)
}

/// The trace in `b3` (`TRACE-SPAN-SAMPLED-PARENT`) or `x-b3-traceid`, of 64 or 128 bits.
fn zipkin_trace(value: &[u8]) -> Option<u128> {
    let text = value.trim_ascii();
    let trace = &text[..text.iter().position(|byte| *byte == b'-').unwrap_or(text.len())];
    number(trace).filter(|trace| *trace != 0).filter(|_| [16, 32].contains(&trace.len()))
}

/// A number in lower-case hexadecimal.
fn number(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0, |number, digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u128::from(value))
    })
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
            let (trace, span, flags) = parent(text.as_bytes()).unwrap();
            assert_eq!((format!("{trace:032x}"), span, flags), (TRACE.to_owned(), 0xb7ad_6b71_6920_3331, 1), "{text}");
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
            format!("00_{TRACE}-b7ad6b7169203331-01"),
        ];
        for text in bad {
            assert_eq!(parent(text.as_bytes()), None, "{text}");
        }
    }

    /// Keeps or makes the ids of a request, and writes them into its headers.
    fn identify(now: Timestamp, headers: &mut HeaderMap) -> Identity {
        let identity = Identity::of(now, &given(headers));
        tell(&identity, headers);
        identity
    }

    #[test]
    fn ids_are_kept_or_made() {
        let now = "2026-01-02T03:04:05.678Z".parse().unwrap();
        let mut headers = HeaderMap::new();
        let made = identify(now, &mut headers);
        // The first 48 bits are milliseconds since 1970.
        assert_eq!(&made.request_id()[..15], "019b7ca9-8f2e-7");
        assert_eq!(made.request_id().len(), 36);
        assert_eq!(headers[REQUEST_ID], made.request_id());
        let again = identify(now, &mut headers);
        assert_eq!((again.request_id(), again.trace_id), (made.request_id(), made.trace_id));
        assert_ne!(again.traceparent(), made.traceparent(), "each hop has its own span");
        headers.insert(REQUEST_ID, HeaderValue::from_static("with space"));
        assert_eq!(identify(now, &mut headers).request_id().len(), 36);
    }

    #[test]
    fn traces_of_zipkin_are_known_again() {
        let b3 = |value: &'static str| {
            let given = Given { b3: Some(value.as_bytes()), ..Given::default() };
            let identity = Identity::of(Timestamp::UNIX_EPOCH, &given);
            identity.is_traced.then(|| format!("{:032x}", identity.trace_id))
        };
        assert_eq!(b3(TRACE).as_deref(), Some(TRACE));
        assert_eq!(b3("80f198ee56343ba8-e457b5a2e4d86bd1-1").as_deref(), Some("000000000000000080f198ee56343ba8"));
        assert_eq!([b3("0"), b3("0000000000000000-1"), b3(""), b3("80f198ee56343bag")], [const { None }; 4]);
    }

    #[test]
    fn hop_by_hop_headers_stay_behind() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, x-own, host, Content-Length"),
            ("x-own", "1"),
            ("te", "trailers"),
            ("upgrade", "h2c"),
            ("a", "b"),
            ("host", "web"),
            ("content-length", "1"),
        ] {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        strip_hop_by_hop(&mut headers, false);
        let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["a", "content-length", "host", "te"]);
    }
}

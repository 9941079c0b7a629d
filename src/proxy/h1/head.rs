//! Heads of requests and answers: what is common to both.

use std::mem::MaybeUninit;

use super::framing::Framing;
use crate::dtab::overrides;

/// How many fields a head may have.
pub const MOST_FIELDS: usize = 128;

/// Room for the fields of a head.
pub type Room<'b> = [MaybeUninit<httparse::Header<'b>>; MOST_FIELDS];

/// What a field is to a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Passed on as it is.
    Plain,
    /// For one hop only.
    Hop,
    Host,
    Length,
    Coding,
    Connection,
    Upgrade,
    Te,
    RequestId,
    Traceparent,
    Expect,
    Accept,
    ForwardedFor,
    ForwardedHost,
    ForwardedProto,
    Via,
    Cookie,
    /// The trace as Zipkin has it.
    B3,
    /// Entries for the routes.
    Dtab,
}

impl Kind {
    /// The kind of a field, by its name in any case.
    pub fn of(name: &str) -> Self {
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        match name.len() {
            2 if is("te") => Self::Te,
            2 if is("b3") => Self::B3,
            3 if is("via") => Self::Via,
            4 if is("host") => Self::Host,
            6 if is("expect") => Self::Expect,
            6 if is("accept") => Self::Accept,
            6 if is("cookie") => Self::Cookie,
            7 if is("upgrade") => Self::Upgrade,
            8 if is(overrides::OWN) => Self::Dtab,
            10 if is("connection") => Self::Connection,
            10 if is("keep-alive") => Self::Hop,
            11 if is("traceparent") => Self::Traceparent,
            12 if is("x-request-id") => Self::RequestId,
            12 if is(overrides::INHERITED) => Self::Dtab,
            12 if is("x-b3-traceid") => Self::B3,
            14 if is("content-length") => Self::Length,
            // The first half of the change to HTTP/2, which is for one hop and not made here.
            14 if is("http2-settings") => Self::Hop,
            15 if is("x-forwarded-for") => Self::ForwardedFor,
            16 if is("x-forwarded-host") => Self::ForwardedHost,
            16 if is("proxy-connection") => Self::Hop,
            17 if is("x-forwarded-proto") => Self::ForwardedProto,
            17 if is("transfer-encoding") => Self::Coding,
            _ => Self::Plain,
        }
    }
}

/// Why a head cannot be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("{0}")]
    Malformed(&'static str),
    #[error("its head is larger than 64 KiB or has more than {MOST_FIELDS} fields")]
    TooLarge,
    #[error("{0}")]
    Unsupported(&'static str),
    /// It is of no version that is spoken here.
    #[error("the version is not HTTP/1.0 or HTTP/1.1")]
    Version,
    /// Frames came where a head was to be.
    #[error("it is HTTP/2")]
    Http2,
}

impl From<httparse::Error> for Fault {
    fn from(error: httparse::Error) -> Self {
        match error {
            httparse::Error::TooManyHeaders => Self::TooLarge,
            httparse::Error::HeaderName => Self::Malformed("a field's name has a character that it may not have"),
            httparse::Error::HeaderValue => Self::Malformed("a field's value has a character that it may not have"),
            httparse::Error::NewLine => Self::Malformed("a line does not end with CR LF"),
            httparse::Error::Version => Self::Version,
            httparse::Error::Status => Self::Malformed("the status line is malformed"),
            httparse::Error::Token => Self::Malformed("the first line is malformed"),
        }
    }
}

/// What the `Connection` fields say.
#[derive(Debug, Default)]
pub struct Options<'b> {
    pub close: bool,
    pub keep_alive: bool,
    pub upgrade: bool,
    /// Fields for this hop only.
    named: Vec<&'b str>,
}

impl<'b> Options<'b> {
    /// Reads one of the fields.
    pub fn read(&mut self, value: &'b [u8]) {
        let text = std::str::from_utf8(value).unwrap_or("");
        for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            let is = |other: &str| word.eq_ignore_ascii_case(other);
            match word.len() {
                5 if is("close") => self.close = true,
                7 if is("upgrade") => self.upgrade = true,
                10 if is("keep-alive") => self.keep_alive = true,
                _ => self.named.push(word),
            }
        }
    }

    /// Whether a field is for this hop only. Those that say who it is or where its end is cannot be taken away so.
    pub fn names(&self, field: &str) -> bool {
        !self.named.is_empty() && self.named.iter().any(|named| named.eq_ignore_ascii_case(field))
    }
}

/// What the fields that delimit a body say, as they are met.
#[derive(Debug, Default)]
pub struct Delimiting {
    pub length: Option<u64>,
    pub chunked: bool,
}

impl Delimiting {
    /// A `Content-Length`. Two are refused, even if they say the same: others might choose otherwise.
    pub fn length(&mut self, value: &[u8]) -> Result<(), Fault> {
        let text = std::str::from_utf8(value).unwrap_or("");
        let digits = !text.is_empty() && text.len() < 19 && text.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse().ok().filter(|_| digits) {
            _ if self.length.is_some() => Err(Fault::Malformed("there are two Content-Length fields")),
            None => Err(Fault::Malformed("Content-Length is no length")),
            length => {
                self.length = length;
                Ok(())
            }
        }
    }

    /// A `Transfer-Encoding`: there is none but chunked here.
    pub fn coding(&mut self, value: &[u8]) -> Result<(), Fault> {
        if self.chunked {
            return Err(Fault::Malformed("there are two Transfer-Encoding fields"));
        }
        if !value.eq_ignore_ascii_case(b"chunked") {
            return Err(Fault::Unsupported("Transfer-Encoding is not chunked alone"));
        }
        self.chunked = true;
        Ok(())
    }

    /// The framing, if anything delimits it.
    pub fn framing(&self) -> Option<Framing> {
        if self.chunked { Some(Framing::Chunked) } else { self.length.map(Framing::Length) }
    }
}

/// Writes a field.
pub fn line(name: &str, value: impl AsRef<[u8]>, out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value.as_ref());
    out.extend_from_slice(b"\r\n");
}

/// Finds the end of a head in bytes that come little by little, each looked at once.
#[derive(Debug, Default)]
pub struct Scan {
    seen: usize,
    line: usize,
}

impl Scan {
    /// The length of the head once it is there. Every line must end with CR LF.
    pub fn advance(&mut self, bytes: &[u8]) -> Result<Option<usize>, Fault> {
        for at in memchr::memchr_iter(b'\n', &bytes[self.seen..]) {
            let at = self.seen + at;
            if at == self.line || bytes[at - 1] != b'\r' {
                return Err(Fault::Malformed("a line does not end with CR LF"));
            }
            if at - self.line == 1 {
                return Ok(Some(at + 1));
            }
            self.line = at + 1;
        }
        self.seen = bytes.len();
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_head_is_found_in_whatever_pieces_it_comes() {
        let head = b"GET / HTTP/1.1\r\nA: b\r\n\r\nrest";
        for step in 1..head.len() {
            let mut scan = Scan::default();
            let found =
                (0..=head.len()).step_by(step).chain([head.len()]).find_map(|end| scan.advance(&head[..end]).unwrap());
            assert_eq!(found, Some(24), "{step}");
        }
        for bad in [b"GET / HTTP/1.1\n\n".as_slice(), b"GET / HTTP/1.1\r\nA: b\n\r\n", b"\n"] {
            assert!(Scan::default().advance(bad).is_err(), "{}", bad.escape_ascii());
        }
    }

    #[test]
    fn lengths_are_digits_and_one() {
        for bad in ["", "+1", "-1", "1,1", "1 ", "0x1", "99999999999999999999"] {
            assert!(Delimiting::default().length(bad.as_bytes()).is_err(), "{bad}");
        }
        let mut twice = Delimiting::default();
        assert!(twice.length(b"1").is_ok() && twice.length(b"1").is_err());
    }
}

//! The head of an answer: read leniently where that is harmless, written anew.

use std::mem::MaybeUninit;

use bytes::Bytes;
use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};

use super::framing::{Encoder, Framing};
use super::head::{Delimiting, Fault, Kind, MOST_FIELDS, Options, Room, line};
use super::text;
use crate::proxy::headers::WITHHELD;
use crate::view::withheld;

/// What of the request decides how its answer is read and written.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    pub is_http11: bool,
    pub is_head: bool,
    pub is_connect: bool,
    pub upgrades: bool,
    /// The caller's connection goes on after the answer.
    pub keeps: bool,
}

impl Asked {
    /// Of a request that could not be read.
    pub const LAST: Self = Self { is_http11: true, is_head: false, is_connect: false, upgrades: false, keeps: false };
}

/// What is added to an answer.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// The request's id.
    pub id: &'a [u8],
    /// The service of which a call may have missed the request's entries.
    pub withheld: Option<&'a str>,
}

/// What follows from an answer's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// How its body is read.
    pub framing: Framing,
    /// How its body is written.
    pub encoder: Encoder,
    /// The connection goes on with other bytes, both ways.
    pub tunnel: bool,
    /// The callee's connection goes on after the answer.
    pub keeps: bool,
    /// The caller's does.
    pub caller_keeps: bool,
    pub grpc_status: Option<u16>,
}

impl Answer {
    /// Only a word on the way to the answer.
    pub fn is_interim(&self) -> bool {
        matches!(self.status, 100 | 102..=199)
    }
}

/// The head of an answer as it came.
struct Read<'h, 'b> {
    length: usize,
    answer: Answer,
    reason: &'b str,
    options: Options<'b>,
    delimiting: Delimiting,
    upgrade: Option<&'b [u8]>,
    fields: &'h [httparse::Header<'b>],
}

/// `None` while it is incomplete.
fn read<'h, 'b>(bytes: &'b [u8], asked: Asked, room: &'h mut Room<'b>) -> Result<Option<Read<'h, 'b>>, Fault> {
    let mut parsed = httparse::Response::new(&mut []);
    let parsing = httparse::ParserConfig::default().parse_response_with_uninit_headers(&mut parsed, bytes, room);
    let parsing = parsing.map_err(|error| if is_frame(bytes) { Fault::Http2 } else { error.into() })?;
    let httparse::Status::Complete(length) = parsing else { return Ok(None) };
    let (status, is_http11, reason) =
        (parsed.code.unwrap_or(0), parsed.version == Some(1), parsed.reason.unwrap_or(""));
    let fields: &'h [httparse::Header<'b>] = parsed.headers;
    let (mut options, mut delimiting) = (Options::default(), Delimiting::default());
    let (mut upgrade, mut grpc_status) = (None, None);
    for field in fields {
        match Kind::of(field.name) {
            Kind::Connection => options.read(field.value),
            Kind::Length => delimiting.length(field.value)?,
            Kind::Coding => delimiting.coding(field.value)?,
            Kind::Upgrade => upgrade = Some(field.value),
            Kind::Plain if field.name.eq_ignore_ascii_case("grpc-status") => grpc_status = number(field.value),
            _ => {}
        }
    }
    let answer = Answer { grpc_status, ..settle(status, is_http11, asked, &options, &delimiting)? };
    Ok(Some(Read { length, answer, reason, options, delimiting, upgrade, fields }))
}

/// Whether bytes begin as a server of HTTP/2 does, which may know no other version: with SETTINGS, or GOAWAY where it has
/// seen what we speak, both of the connection and no stream (RFC 9113 sections 4.1, 6.5 and 6.8).
fn is_frame(bytes: &[u8]) -> bool {
    const SETTINGS: u8 = 4;
    const GOAWAY: u8 = 7;
    matches!(bytes, [0, _, _, SETTINGS | GOAWAY, _, 0, 0, 0, 0, ..])
}

/// Reads the head of an answer and writes it for the caller; `None` while it is incomplete, else its length.
pub fn translate(
    bytes: &[u8],
    asked: Asked,
    told: Told<'_>,
    out: &mut Vec<u8>,
) -> Result<Option<(usize, Answer)>, Fault> {
    let mut room = [const { MaybeUninit::uninit() }; MOST_FIELDS];
    let Some(read) = read(bytes, asked, &mut room)? else { return Ok(None) };
    let answer = read.answer;
    out.extend_from_slice(b"HTTP/1.1 ");
    text::decimal(u64::from(answer.status), out);
    out.push(b' ');
    out.extend_from_slice(read.reason.as_bytes());
    out.extend_from_slice(b"\r\n");
    for field in read.fields.iter().filter(|field| passes(field, &read.options)) {
        line(field.name, field.value, out);
    }
    if answer.tunnel
        && let Some(upgrade) = read.upgrade
    {
        line("Connection", "Upgrade", out);
        line("Upgrade", upgrade, out);
    }
    if !answer.is_interim() {
        write_end(&answer, asked, &read.delimiting, told, out);
    }
    out.extend_from_slice(b"\r\n");
    Ok(Some((read.length, answer)))
}

/// The same for HTTP/2: the fields and not their text.
pub fn fields(bytes: &[u8], asked: Asked) -> Result<Option<(usize, Answer, HeaderMap)>, Fault> {
    let mut room = [const { MaybeUninit::uninit() }; MOST_FIELDS];
    let Some(read) = read(bytes, asked, &mut room)? else { return Ok(None) };
    // One piece of memory that all values share.
    let whole = Bytes::copy_from_slice(&bytes[..read.length]);
    let start = bytes.as_ptr().addr();
    // With room for what is added on the way.
    let mut headers = HeaderMap::with_capacity(read.fields.len() + 3);
    let is_length = |field: &httparse::Header<'_>| Kind::of(field.name) == Kind::Length && !read.delimiting.chunked;
    for field in read.fields.iter().filter(|field| passes(field, &read.options) || is_length(field)) {
        let from = field.value.as_ptr().addr() - start;
        let value = whole.slice(from..from + field.value.len());
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(field.name.as_bytes()), HeaderValue::from_maybe_shared(value))
        {
            headers.append(name, value);
        }
    }
    Ok(Some((read.length, read.answer, headers)))
}

fn passes(field: &httparse::Header<'_>, options: &Options<'_>) -> bool {
    let kept = !matches!(
        Kind::of(field.name),
        Kind::Hop | Kind::Length | Kind::Coding | Kind::Connection | Kind::Upgrade | Kind::Te | Kind::RequestId
    );
    kept && !options.names(field.name)
}

/// RFC 9112 section 6.3.
fn settle(
    status: u16,
    is_http11: bool,
    asked: Asked,
    options: &Options<'_>,
    delimiting: &Delimiting,
) -> Result<Answer, Fault> {
    let switches = status == 101;
    if switches && !asked.upgrades {
        return Err(Fault::Malformed("it changed the protocol without being asked"));
    }
    let tunnel = switches || (asked.is_connect && (200..300).contains(&status));
    let bodiless = asked.is_head || tunnel || matches!(status, 100..=199 | 204 | 304);
    let framing = if bodiless { Framing::NONE } else { delimiting.framing().unwrap_or(Framing::Close) };
    // With both, the chunks count, and the connection is not trusted any further.
    let odd = delimiting.chunked && (delimiting.length.is_some() || !is_http11);
    let stays = if is_http11 { !options.close } else { options.keep_alive && !options.close };
    let encoder = match framing {
        Framing::Chunked | Framing::Close if asked.is_http11 => Encoder::Chunked,
        _ => Encoder::Raw,
    };
    let delimited = matches!(framing, Framing::Length(_)) || encoder == Encoder::Chunked;
    Ok(Answer {
        status,
        framing,
        encoder,
        tunnel,
        keeps: stays && !odd && framing != Framing::Close,
        caller_keeps: asked.keeps && delimited,
        grpc_status: None,
    })
}

/// The fields that are ours.
fn write_end(answer: &Answer, asked: Asked, delimiting: &Delimiting, told: Told<'_>, out: &mut Vec<u8>) {
    line("x-request-id", told.id, out);
    if let Some(by) = told.withheld {
        line(WITHHELD.as_str(), withheld(by), out);
    }
    if answer.tunnel {
        return;
    }
    let length = delimiting.length.filter(|_| !delimiting.chunked && answer.status != 204);
    if let Some(length) = length {
        // Also where there is no body: it says how long one would be.
        out.extend_from_slice(b"Content-Length: ");
        text::decimal(length, out);
        out.extend_from_slice(b"\r\n");
    }
    let would_be_chunked = asked.is_head && delimiting.chunked && asked.is_http11;
    if answer.encoder == Encoder::Chunked || would_be_chunked {
        line("Transfer-Encoding", "chunked", out);
    }
    match (answer.caller_keeps, asked.is_http11) {
        (false, _) => line("Connection", "close", out),
        (true, false) => line("Connection", "keep-alive", out),
        (true, true) => {}
    }
}

fn number(value: &[u8]) -> Option<u16> {
    std::str::from_utf8(value).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOLD: Told<'_> = Told { id: b"id", withheld: None };

    const GET: Asked = Asked { is_http11: true, is_head: false, is_connect: false, upgrades: false, keeps: true };

    fn told(head: &str, asked: Asked) -> Result<String, Fault> {
        let mut out = Vec::new();
        let (_, answer) = translate(head.as_bytes(), asked, TOLD, &mut out)?.expect("it is complete");
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<&str> =
            text.split("\r\n").filter(|line| !line.is_empty() && *line != "x-request-id: id").collect();
        Ok(format!("{:?} {} {} | {}", answer.framing, answer.keeps, answer.caller_keeps, lines.join(" | ")))
    }

    #[test]
    fn every_kind_of_answer_is_read_and_written() {
        let http10 = Asked { is_http11: false, keeps: false, ..GET };
        let head = Asked { is_head: true, ..GET };
        let upgrade = Asked { upgrades: true, ..GET };
        let connect = Asked { is_connect: true, ..GET };
        let cases = [
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n",
                GET,
                "Length(2) true true | HTTP/1.1 200 OK | Content-Length: 2",
            ),
            (
                "HTTP/1.1 200 OK\nContent-Length: 2\n\n",
                GET,
                "Length(2) true true | HTTP/1.1 200 OK | Content-Length: 2",
            ),
            (
                "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
                GET,
                "Length(0) true true | HTTP/1.1 200  | Content-Length: 0",
            ),
            ("HTTP/1.0 200 OK\r\n\r\n", GET, "Close false true | HTTP/1.1 200 OK | Transfer-Encoding: chunked"),
            ("HTTP/1.0 200 OK\r\n\r\n", http10, "Close false false | HTTP/1.1 200 OK | Connection: close"),
            (
                "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\n",
                Asked { is_http11: false, ..GET },
                "Length(1) true true | HTTP/1.1 200 OK | Content-Length: 1 | Connection: keep-alive",
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
                GET,
                "Chunked false true | HTTP/1.1 200 OK | Transfer-Encoding: chunked",
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                http10,
                "Chunked true false | HTTP/1.1 200 OK | Connection: close",
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
                GET,
                "Chunked false true | HTTP/1.1 200 OK | Transfer-Encoding: chunked",
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
                head,
                "Length(0) true true | HTTP/1.1 200 OK | Content-Length: 9",
            ),
            ("HTTP/1.1 204 No\r\nContent-Length: 9\r\n\r\n", GET, "Length(0) true true | HTTP/1.1 204 No"),
            (
                "HTTP/1.1 304 Not\r\nContent-Length: 9\r\n\r\n",
                GET,
                "Length(0) true true | HTTP/1.1 304 Not | Content-Length: 9",
            ),
            (
                "HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
                upgrade,
                "Length(0) true true | HTTP/1.1 101 S | Connection: Upgrade | Upgrade: x",
            ),
            ("HTTP/1.1 200 OK\r\n\r\n", connect, "Length(0) true true | HTTP/1.1 200 OK"),
            ("HTTP/1.1 103 E\r\nLink: a\r\n\r\n", GET, "Length(0) true true | HTTP/1.1 103 E | Link: a"),
            (
                "HTTP/1.1 200 OK\r\nConnection: own\r\nOwn: 1\r\nX-Request-Id: theirs\r\nContent-Length: 0\r\n\r\n",
                GET,
                "Length(0) true true | HTTP/1.1 200 OK | Content-Length: 0",
            ),
        ];
        for (head, asked, expected) in cases {
            assert_eq!(told(head, asked).as_deref(), Ok(expected), "{head}");
        }
    }

    #[test]
    fn what_is_no_answer_is_told() {
        for head in [
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
            "HTTP/1.1 101 S\r\nUpgrade: x\r\n\r\n",
            "SSH-2.0-OpenSSH\r\n\r\n",
            "HTTP/1.1 abc\r\n\r\n",
        ] {
            assert!(told(head, GET).is_err(), "{head}");
        }
        assert_eq!(translate(b"HTTP/1.1 200 OK\r\nA", GET, TOLD, &mut Vec::new()), Ok(None));
    }
}

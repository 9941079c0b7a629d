//! The head of a request: read strictly, written anew.

use super::framing::Framing;
use super::head::{Delimiting, Fault, Kind, Options, Room, line};
use super::origin::Forwarded;
use super::text;
use crate::dtab::overrides;
use crate::proxy::headers::{Given, Identity};
use crate::proxy::http::Origin;
use crate::proxy::routing::{Fields, More};

/// A request's head as it came.
#[derive(Debug)]
pub struct Request<'h, 'b> {
    pub method: &'b str,
    /// The path and query, `*`, or with CONNECT the authority.
    pub target: &'b str,
    pub host: &'b str,
    pub is_http11: bool,
    pub framing: Framing,
    /// The connection goes on after this request.
    pub keeps: bool,
    pub upgrade: Option<&'b [u8]>,
    pub expects: bool,
    pub given: Given<'b>,
    pub accept: &'b [u8],
    /// Whether it has fields that decide where it leads.
    pub brings: bool,
    /// Whether it has cookies, which may do so too.
    pub has_cookies: bool,
    trailers: bool,
    forwarded: Forwarded<'b>,
    options: Options<'b>,
    fields: &'h [httparse::Header<'b>],
}

/// What is added to a request on its way.
#[derive(Debug)]
pub struct Added<'a> {
    pub identity: &'a Identity,
    /// In place of the Host that was asked for.
    pub host: Option<&'a str>,
    /// The outside, where it comes from there.
    pub origin: Option<&'a Origin>,
    /// Where it is led, where that is not as plain as can be.
    pub more: Option<&'a More>,
}

impl Added<'_> {
    /// The path and query in place of those that came.
    pub fn target(&self) -> Option<&str> {
        self.more?.target.as_deref()
    }

    /// Writes the fields for whoever leads the request on.
    pub fn write_more(&self, out: &mut Vec<u8>) {
        let Some(more) = self.more else { return };
        if let Some(local) = &more.local {
            line(overrides::INHERITED, local.text(), out);
        }
        if let Some(via) = &more.via {
            line("Via", via, out);
        }
    }
}

/// A head of a later HTTP/1 as one of HTTP/1.1, which is the highest version here that it can be read by (RFC 9110
/// section 2.5). Of another major version it stays [`Fault::Version`], and what is no version at all is malformed.
pub fn of_later_version(head: &[u8]) -> Result<Vec<u8>, Fault> {
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    match line {
        [.., b' ', b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'2'..=b'9'] => {
            let mut same = head.to_vec();
            same[line.len() - 1] = b'1';
            Ok(same)
        }
        [.., b' ', b'H', b'T', b'T', b'P', b'/', b'0' | b'2'..=b'9', b'.', b'0'..=b'9'] => Err(Fault::Version),
        _ => Err(Fault::Malformed("the version is not HTTP/1.0 or HTTP/1.1")),
    }
}

impl<'h, 'b> Request<'h, 'b> {
    /// Reads a whole head (RFC 9112 sections 2 to 6); what different readers might understand differently is refused.
    pub fn read(head: &'b [u8], room: &'h mut Room<'b>) -> Result<Self, Fault> {
        let mut parsed = httparse::Request::new(&mut []);
        if parsed.parse_with_uninit_headers(head, room)?.is_partial() {
            return Err(Fault::Malformed("the head is incomplete"));
        }
        let is_http11 = parsed.version == Some(1);
        let (method, target) = (parsed.method.unwrap_or(""), parsed.path.unwrap_or(""));
        let fields: &'h [httparse::Header<'b>] = parsed.headers;
        let mut request = Self {
            method,
            target,
            host: "",
            is_http11,
            framing: Framing::NONE,
            keeps: false,
            upgrade: None,
            expects: false,
            given: Given::default(),
            accept: b"",
            brings: false,
            has_cookies: false,
            trailers: false,
            forwarded: Forwarded::default(),
            options: Options::default(),
            fields,
        };
        let (mut host, mut delimiting) = (None, Delimiting::default());
        for field in fields {
            request.field(field, &mut host, &mut delimiting)?;
        }
        request.settle(host, &delimiting)?;
        Ok(request)
    }

    fn field(
        &mut self,
        field: &httparse::Header<'b>,
        host: &mut Option<&'b [u8]>,
        delimiting: &mut Delimiting,
    ) -> Result<(), Fault> {
        let value = field.value;
        match Kind::of(field.name) {
            Kind::Plain | Kind::Hop => {}
            Kind::Host if host.is_some() => return Err(Fault::Malformed("there are two Host fields")),
            Kind::Host => *host = Some(value),
            Kind::Length => delimiting.length(value)?,
            Kind::Coding => delimiting.coding(value)?,
            Kind::Connection => self.options.read(value),
            Kind::Upgrade => self.upgrade = Some(value),
            Kind::Te => self.trailers = value.eq_ignore_ascii_case(b"trailers"),
            Kind::RequestId => self.given.request_id = Some(value),
            Kind::Traceparent => self.given.traceparent = Some(value),
            Kind::B3 => self.given.b3 = Some(value),
            Kind::Dtab | Kind::Via => self.brings = true,
            Kind::Cookie => self.has_cookies = true,
            Kind::Expect => self.expects = value.eq_ignore_ascii_case(b"100-continue"),
            Kind::Accept => self.accept = value,
            kind @ (Kind::ForwardedFor | Kind::ForwardedHost | Kind::ForwardedProto) => {
                self.forwarded.note(kind, value)
            }
        }
        Ok(())
    }

    /// What follows from all fields together.
    fn settle(&mut self, host: Option<&'b [u8]>, delimiting: &Delimiting) -> Result<(), Fault> {
        if delimiting.chunked && delimiting.length.is_some() {
            return Err(Fault::Malformed("it has both Content-Length and Transfer-Encoding"));
        }
        if delimiting.chunked && !self.is_http11 {
            return Err(Fault::Malformed("HTTP/1.0 has no Transfer-Encoding"));
        }
        if host.is_none() && self.is_http11 {
            return Err(Fault::Malformed("it has no Host"));
        }
        self.host = authority(host.unwrap_or(b"")).ok_or(Fault::Malformed("Host is no name"))?;
        self.aim()?;
        self.framing = delimiting.framing().unwrap_or(Framing::NONE);
        self.keeps = if self.is_http11 { !self.options.close } else { self.options.keep_alive && !self.options.close };
        // HTTP/2 is spoken with prior knowledge here; a server may ignore the offer to change to it.
        let h2c = |value: &[u8]| value.len() >= 3 && value[..3].eq_ignore_ascii_case(b"h2c");
        self.upgrade = self.upgrade.filter(|value| self.options.upgrade && self.is_http11 && !h2c(value));
        Ok(())
    }

    /// The forms of a target (RFC 9112 sections 3.2 and 3.2.4).
    fn aim(&mut self) -> Result<(), Fault> {
        let wrong = Err(Fault::Malformed("the target is no path"));
        match self.target.as_bytes() {
            [b'/', ..] if !self.is_connect() => Ok(()),
            b"*" if self.method == "OPTIONS" => Ok(()),
            _ if self.is_connect() => match authority(self.target.as_bytes()) {
                Some(target) if !target.is_empty() => Ok(()),
                _ => wrong,
            },
            _ => match self.target.split_once("://") {
                Some((scheme, rest)) if ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) => {
                    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
                    let host = authority(&rest.as_bytes()[..end]).filter(|host| !host.is_empty());
                    self.host = host.ok_or(Fault::Malformed("the target has no host"))?;
                    // A fragment is the client's own; without a path or query OPTIONS is about the server as a whole.
                    let path = rest[end..].split('#').next().unwrap_or_default();
                    self.target = if path.is_empty() && self.method == "OPTIONS" { "*" } else { path };
                    Ok(())
                }
                _ => wrong,
            },
        }
    }

    pub fn is_connect(&self) -> bool {
        self.method == "CONNECT"
    }

    /// May be sent twice without harm (RFC 9110 section 9.2.2).
    pub fn is_idempotent(&self) -> bool {
        matches!(self.method, "GET" | "HEAD" | "OPTIONS" | "PUT" | "DELETE" | "TRACE")
    }

    /// Writes the head for the next hop.
    pub fn write(&self, added: &Added<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(self.method.as_bytes());
        out.push(b' ');
        let target = added.target().unwrap_or(self.target);
        if !target.starts_with('/') && !self.is_connect() && target != "*" {
            out.push(b'/');
        }
        out.extend_from_slice(target.as_bytes());
        out.extend_from_slice(b" HTTP/1.1\r\n");
        line("Host", added.host.unwrap_or(self.host), out);
        for field in self.fields {
            let passes = match Kind::of(field.name) {
                Kind::Plain | Kind::Accept | Kind::Cookie | Kind::B3 | Kind::Via => !self.options.names(field.name),
                Kind::Expect => true,
                Kind::ForwardedHost | Kind::ForwardedProto => true,
                Kind::ForwardedFor => added.origin.is_none(),
                _ => false,
            };
            if passes {
                line(field.name, field.value, out);
            }
        }
        self.write_framing(out);
        line("x-request-id", added.identity.id(), out);
        line("traceparent", added.identity.traceparent(), out);
        added.write_more(out);
        if let Some(origin) = added.origin {
            self.forwarded.write(origin, self.host, out);
        }
        out.extend_from_slice(b"\r\n");
    }

    fn write_framing(&self, out: &mut Vec<u8>) {
        if self.trailers {
            // The one value that is end to end in effect.
            line("te", "trailers", out);
        }
        if let Some(upgrade) = self.upgrade {
            line("Connection", "Upgrade", out);
            line("Upgrade", upgrade, out);
        }
        match self.framing {
            Framing::Chunked => line("Transfer-Encoding", "chunked", out),
            // A length of none is said only where a body was to be expected (RFC 9110 section 8.6).
            Framing::Length(0) if !matches!(self.method, "POST" | "PUT" | "PATCH") => {}
            Framing::Length(length) => {
                out.extend_from_slice(b"Content-Length: ");
                text::decimal(length, out);
                out.extend_from_slice(b"\r\n");
            }
            Framing::Close => {}
        }
    }
}

impl Fields for Request<'_, '_> {
    fn each<'f>(&'f self, see: &mut dyn FnMut(&'f str, &'f [u8])) {
        self.fields.iter().for_each(|field| see(field.name, field.value));
    }
}

/// A host with or without a port: no user, no path, no list.
pub fn authority(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok().filter(|_| bytes.iter().all(|byte| IN_AUTHORITY[usize::from(*byte)]))
}

/// Which bytes may stand in a host and its port.
const IN_AUTHORITY: [bool; 256] = {
    let mut allowed = [false; 256];
    let mut byte = b'!';
    while byte <= b'~' {
        allowed[byte as usize] = !matches!(
            byte,
            b'/' | b'\\' | b'?' | b'#' | b'@' | b',' | b'<' | b'>' | b'"' | b'\'' | b'`' | b'^' | b'{' | b'|' | b'}'
        );
        byte += 1;
    }
    allowed
};

#[cfg(test)]
mod tests {
    use std::mem::MaybeUninit;

    use super::super::head::MOST_FIELDS;
    use super::*;

    fn told(head: &str) -> Result<String, Fault> {
        let mut room = [const { MaybeUninit::uninit() }; MOST_FIELDS];
        let request = Request::read(head.as_bytes(), &mut room)?;
        let traceparent = Some(b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".as_slice());
        let given = Given { request_id: Some(b"id"), traceparent, b3: None };
        let identity = Identity::of(jiff::Timestamp::UNIX_EPOCH, &given);
        let mut out = Vec::new();
        request.write(&Added { identity: &identity, host: None, origin: None, more: None }, &mut out);
        let text = String::from_utf8(out).unwrap();
        let own =
            |line: &&str| !line.starts_with("traceparent: ") && !line.starts_with("x-request-id: ") && !line.is_empty();
        Ok(format!(
            "{:?} {} | {}",
            request.framing,
            request.keeps,
            text.split("\r\n").filter(own).collect::<Vec<_>>().join(" | ")
        ))
    }

    #[test]
    fn a_head_is_written_anew_for_the_next_hop() {
        let cases = [
            (
                "GET /a?b HTTP/1.1\r\nHost: x:80\r\nA: b\r\n\r\n",
                "Length(0) true | GET /a?b HTTP/1.1 | Host: x:80 | A: b",
            ),
            ("GET / HTTP/1.0\r\n\r\n", "Length(0) false | GET / HTTP/1.1 | Host: "),
            ("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "Length(0) true | GET / HTTP/1.1 | Host: "),
            (
                "POST / HTTP/1.1\r\nHost: x\r\nConnection: close, own\r\nOwn: 1\r\nContent-Length: 3\r\n\r\n",
                "Length(3) false | POST / HTTP/1.1 | Host: x | Content-Length: 3",
            ),
            (
                "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\nTE: trailers\r\nKeep-Alive: 5\r\n\r\n",
                "Chunked true | POST / HTTP/1.1 | Host: x | te: trailers | Transfer-Encoding: chunked",
            ),
            ("GET http://y/p HTTP/1.1\r\nHost: x\r\n\r\n", "Length(0) true | GET /p HTTP/1.1 | Host: y"),
            ("GET http://y?q HTTP/1.1\r\nHost: x\r\n\r\n", "Length(0) true | GET /?q HTTP/1.1 | Host: y"),
            ("GET http://y#f HTTP/1.1\r\nHost: x\r\n\r\n", "Length(0) true | GET / HTTP/1.1 | Host: y"),
            ("GET http://y/p?q#f HTTP/1.1\r\nHost: x\r\n\r\n", "Length(0) true | GET /p?q HTTP/1.1 | Host: y"),
            ("OPTIONS http://y HTTP/1.1\r\nHost: x\r\n\r\n", "Length(0) true | OPTIONS * HTTP/1.1 | Host: y"),
            ("OPTIONS http://y/ HTTP/1.1\r\nHost: x\r\n\r\n", "Length(0) true | OPTIONS / HTTP/1.1 | Host: y"),
            (
                "GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
                "Length(0) true | GET / HTTP/1.1 | Host: x | Connection: Upgrade | Upgrade: websocket",
            ),
            (
                "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: A\r\n\r\n",
                "Length(0) true | GET / HTTP/1.1 | Host: x",
            ),
            ("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", "Length(0) true | OPTIONS * HTTP/1.1 | Host: x"),
            ("CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\n\r\n", "Length(0) true | CONNECT x:1 HTTP/1.1 | Host: x:1"),
        ];
        for (head, expected) in cases {
            assert_eq!(told(head).as_deref(), Ok(expected), "{head}");
        }
    }

    #[test]
    fn other_versions_are_read_as_far_as_they_can_be() {
        let of = |version: &str| of_later_version(format!("GET / {version}\r\nHost: HTTP/1.2\r\n\r\n").as_bytes());
        assert_eq!(of("HTTP/1.2").as_deref(), Ok(&b"GET / HTTP/1.1\r\nHost: HTTP/1.2\r\n\r\n"[..]));
        assert!(of("HTTP/1.9").is_ok());
        for version in ["HTTP/2.0", "HTTP/3.0", "HTTP/0.9"] {
            assert_eq!(of(version), Err(Fault::Version), "{version}");
        }
        for version in ["HTTP/1.10", "HTTP/2", "http/1.2", "HTTP/1.x", "HTTP/1.2 ", ""] {
            assert!(matches!(of(version), Err(Fault::Malformed(_))), "{version}");
        }
    }

    #[test]
    fn what_others_might_read_otherwise_is_refused() {
        let cases = [
            "GET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n",
            "GET / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n c\r\n\r\n",
            "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
            "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nA: b\rc\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nA: b\0c\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n",
            "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
            "GET /\r\nHost: a\r\n\r\n",
            "GET a HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET http:///a HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET * HTTP/1.1\r\nHost: a\r\n\r\n",
            "CONNECT /a HTTP/1.1\r\nHost: a\r\n\r\n",
            "G(T / HTTP/1.1\r\nHost: a\r\n\r\n",
        ];
        for head in cases {
            assert!(told(head).is_err(), "{}", head.escape_debug());
        }
        let flood: String = (0..=MOST_FIELDS).map(|number| format!("A{number}: b\r\n")).collect();
        assert_eq!(told(&format!("GET / HTTP/1.1\r\nHost: a\r\n{flood}\r\n")).err(), Some(Fault::TooLarge));
    }
}

//! HTTP/1.1 over one connection at a time, every byte under the test's control.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(30);

/// A port that nobody has now.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

pub struct Client {
    pub port: u16,
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    head: String,
    pub body: String,
}

/// The lines of a stream.
pub struct Lines(BufReader<TcpStream>);

impl Client {
    pub fn at(port: u16) -> Self {
        Self { port }
    }

    fn open(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> BufReader<TcpStream> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut head = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
        if headers.iter().all(|(name, _)| *name != "host") {
            head += &format!("host: 127.0.0.1:{}\r\n", self.port);
        }
        for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
            head += &format!("{name}: {value}\r\n");
        }
        // Whoever refuses a body need not read it.
        let _ = (&stream).write_all(format!("{head}\r\n{body}").as_bytes());
        BufReader::new(stream)
    }

    /// Asks and reads the whole answer.
    #[track_caller]
    pub fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        let mut answer = Vec::new();
        let _ = self.open(method, path, headers, body).read_to_end(&mut answer);
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{method} {path}: {answer:?}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Reply { status, head: head.to_owned(), body: body.to_owned() }
    }

    /// Reads a stream line by line.
    #[track_caller]
    pub fn watch(&self, path: &str) -> Lines {
        let mut stream = self.open("GET", path, &[], "");
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(stream.read_line(&mut head).unwrap(), 0, "{head}");
        }
        assert!(head.starts_with("HTTP/1.1 200 ") && head.contains("transfer-encoding: chunked"), "{head}");
        Lines(stream)
    }
}

impl Lines {
    /// The next one. Each is a chunk of its own.
    #[track_caller]
    pub fn line(&mut self) -> String {
        self.end().expect("the stream goes on")
    }

    /// The next line; `None` where the stream has ended.
    pub fn end(&mut self) -> Option<String> {
        let mut size = String::new();
        self.0.read_line(&mut size).ok()?;
        let size = usize::from_str_radix(size.trim(), 16).ok().filter(|size| *size > 0)?;
        let mut chunk = vec![0; size + 2];
        self.0.read_exact(&mut chunk).ok()?;
        let text = String::from_utf8(chunk).unwrap();
        let line = text.strip_suffix("\n\r\n").unwrap_or_else(|| panic!("no line: {text:?}"));
        assert!(!line.contains('\n'), "one line: {text:?}");
        Some(line.to_owned())
    }
}

impl Reply {
    #[track_caller]
    pub fn ended(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    #[track_caller]
    pub fn good(self) -> Self {
        self.ended(200)
    }

    /// A header; empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value)
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

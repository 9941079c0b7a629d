//! Answers of our own, on the wire.

use super::head::line;
use super::response::Asked;
use super::text;
use crate::proxy::answer::Answer;

/// Writes an answer whole.
pub fn write(answer: &Answer, asked: Asked, id: Option<&[u8]>, out: &mut Vec<u8>) {
    let status = answer.status();
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(status.canonical_reason().unwrap_or("").as_bytes());
    out.extend_from_slice(b"\r\n");
    for (name, value) in answer.headers() {
        line(name.as_str(), value, out);
    }
    if let Some(id) = id {
        line("x-request-id", id, out);
    }
    out.extend_from_slice(b"Content-Length: ");
    text::decimal(answer.body().len() as u64, out);
    out.extend_from_slice(b"\r\n");
    if !asked.keeps {
        line("Connection", "close", out);
    } else if !asked.is_http11 {
        line("Connection", "keep-alive", out);
    }
    out.extend_from_slice(b"\r\n");
    if !asked.is_head {
        out.extend_from_slice(answer.body());
    }
}

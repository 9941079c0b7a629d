//! Fields that come behind a body.

use super::head::Kind;

/// How many trailers are looked at.
const MOST: usize = 64;

/// Passes on the fields that may come late: none that says how to read, where to send or who asks (RFC 9110
/// section 6.5.1). What is no field is left out.
pub fn pass(trailers: &[u8], out: &mut Vec<u8>) {
    if trailers.is_empty() {
        return;
    }
    let mut fields = [httparse::EMPTY_HEADER; MOST];
    let whole = [trailers, b"\r\n"].concat();
    let Ok(httparse::Status::Complete((_, fields))) = httparse::parse_headers(&whole, &mut fields) else { return };
    for field in fields.iter().filter(|field| Kind::of(field.name) == Kind::Plain) {
        super::head::line(field.name, field.value, out);
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_what_may_come_late_is_passed_on() {
        let mut out = Vec::new();
        super::pass(b"X-Sum: 1\r\nContent-Length: 3\r\nHost: evil\r\nTransfer-Encoding: chunked\r\nB: c\r\n", &mut out);
        assert_eq!(out, b"X-Sum: 1\r\nB: c\r\n");
        super::pass(b"no field\r\n", &mut out);
        assert_eq!(out, b"X-Sum: 1\r\nB: c\r\n");
    }
}

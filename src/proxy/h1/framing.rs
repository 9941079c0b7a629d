//! Where a body ends: reading and writing its frames (RFC 9112 sections 6 and 7).

/// The most that the trailers, or the extensions of all chunks together, may take.
const MOST_EXTRAS: usize = 16 << 10;
/// More digits would not fit into a length.
const MOST_DIGITS: u8 = 15;

/// How a body is delimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    Length(u64),
    Chunked,
    /// By the end of the connection.
    Close,
}

impl Framing {
    pub const NONE: Self = Self::Length(0);
}

/// The bytes are not the body that was announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the body's chunks are malformed")]
pub struct Malformed;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Length(u64),
    Size { value: u64, digits: u8 },
    Extension(u64),
    SizeEnd(u64),
    Data(u64),
    DataEnd,
    DataEndLine,
    Trailers,
    Close,
    Done,
}

/// Reads a body: takes the frames off.
#[derive(Debug)]
pub struct Decoder {
    state: State,
    extras: usize,
    trailers: Vec<u8>,
}

impl Decoder {
    pub fn new(framing: Framing) -> Self {
        let state = match framing {
            Framing::Length(0) => State::Done,
            Framing::Length(length) => State::Length(length),
            Framing::Chunked => State::Size { value: 0, digits: 0 },
            Framing::Close => State::Close,
        };
        Self { state, extras: 0, trailers: Vec::new() }
    }

    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// The connection has ended: whether the body has, too.
    pub fn end(&mut self) -> bool {
        if self.state == State::Close {
            self.state = State::Done;
        }
        self.is_done()
    }

    /// The lines behind the last chunk, each with its end; empty until the body is done.
    pub fn trailers(&self) -> &[u8] {
        if self.is_done() { &self.trailers } else { &[] }
    }

    /// Gives the data in `bytes` to `sink` and says how many bytes belong to this body.
    pub fn decode(&mut self, bytes: &[u8], mut sink: impl FnMut(&[u8])) -> Result<usize, Malformed> {
        let mut at = 0;
        while at < bytes.len() && !self.is_done() {
            let rest = &bytes[at..];
            let used = match &mut self.state {
                State::Length(left) | State::Data(left) => {
                    let count = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                    sink(&rest[..count]);
                    *left -= count as u64;
                    if *left == 0 {
                        self.state = if matches!(self.state, State::Data(_)) { State::DataEnd } else { State::Done };
                    }
                    count
                }
                State::Close => {
                    sink(rest);
                    rest.len()
                }
                _ => {
                    self.framing(rest[0])?;
                    1
                }
            };
            at += used;
        }
        Ok(at)
    }

    /// One byte that is no data.
    fn framing(&mut self, byte: u8) -> Result<(), Malformed> {
        self.state = match (self.state, byte) {
            (State::Size { value, digits }, _) if byte.is_ascii_hexdigit() && digits < MOST_DIGITS => {
                let digit = char::from(byte).to_digit(16).unwrap_or(0);
                State::Size { value: value << 4 | u64::from(digit), digits: digits + 1 }
            }
            (State::Size { value, digits: 1.. } | State::Extension(value), b'\r') => State::SizeEnd(value),
            (State::Size { value, digits: 1.. }, b';' | b' ' | b'\t') => State::Extension(value),
            (State::Extension(value), b'\t' | b' '..=b'~' | 0x80..) => {
                self.count()?;
                State::Extension(value)
            }
            (State::SizeEnd(0), b'\n') => State::Trailers,
            (State::SizeEnd(size), b'\n') => State::Data(size),
            (State::DataEnd, b'\r') => State::DataEndLine,
            (State::DataEndLine, b'\n') => State::Size { value: 0, digits: 0 },
            (State::Trailers, _) => return self.trailer(byte),
            _ => return Err(Malformed),
        };
        Ok(())
    }

    fn trailer(&mut self, byte: u8) -> Result<(), Malformed> {
        let in_line = self.trailers.last() == Some(&b'\r');
        if in_line != (byte == b'\n') {
            return Err(Malformed);
        }
        self.count()?;
        self.trailers.push(byte);
        if self.trailers.ends_with(b"\r\n\r\n") || self.trailers == b"\r\n" {
            self.trailers.truncate(self.trailers.len() - 2);
            self.state = State::Done;
        }
        Ok(())
    }

    fn count(&mut self) -> Result<(), Malformed> {
        self.extras += 1;
        if self.extras > MOST_EXTRAS { Err(Malformed) } else { Ok(()) }
    }
}

/// Writes a body: puts the frames on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoder {
    /// The data alone; its length was said, or the connection's end will say it.
    Raw,
    Chunked,
}

impl Encoder {
    /// Some of the data, not empty.
    pub fn data(self, data: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Raw => out.extend_from_slice(data),
            Self::Chunked => {
                super::text::hex(data.len() as u64, out);
                out.extend_from_slice(b"\r\n");
                out.extend_from_slice(data);
                out.extend_from_slice(b"\r\n");
            }
        }
    }

    /// The end, with trailers where frames have a place for them.
    pub fn end(self, trailers: &[u8], out: &mut Vec<u8>) {
        if self == Self::Chunked {
            out.extend_from_slice(b"0\r\n");
            super::trailers::pass(trailers, out);
            out.extend_from_slice(b"\r\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(framing: Framing, bytes: &[u8], step: usize) -> Result<(Vec<u8>, usize, bool, Vec<u8>), Malformed> {
        let mut decoder = Decoder::new(framing);
        let (mut data, mut used) = (Vec::new(), 0);
        for piece in bytes.chunks(step) {
            let count = decoder.decode(piece, |piece| data.extend_from_slice(piece))?;
            used += count;
            if count < piece.len() {
                break;
            }
        }
        Ok((data, used, decoder.is_done(), decoder.trailers().to_vec()))
    }

    #[test]
    fn a_body_is_read_in_whatever_pieces_it_comes() {
        type Case<'c> = (Framing, &'c [u8], &'c [u8], usize, &'c [u8]);
        let cases: [Case<'_>; 6] = [
            (Framing::Length(3), b"abcdef", b"abc", 3, b""),
            (Framing::Chunked, b"3\r\nabc\r\n0\r\n\r\nGET", b"abc", 13, b""),
            (Framing::Chunked, b"a;x=\"y\"\r\n0123456789\r\n00\r\n\r\n", b"0123456789", 27, b""),
            (Framing::Chunked, b"1 \r\na\r\n1\t;x\r\nb\r\n0\r\nA: b\r\nC: d\r\n\r\n", b"ab", 33, b"A: b\r\nC: d\r\n"),
            (Framing::Chunked, b"0\r\n\r\n", b"", 5, b""),
            (Framing::NONE, b"GET", b"", 0, b""),
        ];
        for (framing, bytes, data, used, trailers) in cases {
            for step in 1..=bytes.len() {
                let told = decode(framing, bytes, step);
                let expected = Ok((data.to_vec(), used, true, trailers.to_vec()));
                assert_eq!(told, expected, "{} by {step}", bytes.escape_ascii());
            }
        }
        assert_eq!(decode(Framing::Close, b"abc", 2), Ok((b"abc".to_vec(), 3, false, Vec::new())));
        assert_eq!(decode(Framing::Length(9), b"abc", 2), Ok((b"abc".to_vec(), 3, false, Vec::new())));
    }

    #[test]
    fn chunks_that_others_might_read_otherwise_are_refused() {
        let cases: [&[u8]; 16] = [
            b"\r\n",
            b"x\r\n",
            b"-1\r\n",
            b"0x3\r\nabc\r\n",
            b"3\nabc\r\n",
            b"3\r\nabcd\r\n",
            b"3\r\nabc\n0\r\n\r\n",
            b"3\r\nabc\rx",
            b"3;a\nb\r\n",
            b"3\rabc",
            b";a\r\n",
            b" 3\r\n",
            b"1000000000000000\r\n",
            b"fffffffffffffffff\r\n",
            b"0\r\nA: b\n\r\n",
            b"0\r\n\rx",
        ];
        for bytes in cases {
            assert_eq!(decode(Framing::Chunked, bytes, 1), Err(Malformed), "{}", bytes.escape_ascii());
        }
        let flood = [b"1;".as_slice(), &vec![b'a'; MOST_EXTRAS + 1]].concat();
        assert_eq!(decode(Framing::Chunked, &flood, 4096), Err(Malformed));
    }

    #[test]
    fn what_is_written_can_be_read() {
        let mut out = Vec::new();
        Encoder::Chunked.data(&[b'x'; 300], &mut out);
        Encoder::Chunked.end(b"A: b\r\n", &mut out);
        let (data, used, done, trailers) = decode(Framing::Chunked, &out, 7).unwrap();
        assert_eq!((data.len(), used, done, trailers.as_slice()), (300, out.len(), true, b"A: b\r\n".as_slice()));
    }
}

//! One line as it stands in a segment: `2026-11-21T19:12:00.123456789Z o 1 the text`.
//!
//! `o`, `e` and `s` are standard output, standard error and setup; in capitals the line goes on in the next record.
//! The number is the instance.

use jiff::Timestamp;

/// Lines longer than this are cut into several records.
pub const LONGEST: usize = 256 << 10;

/// Where a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    Out,
    Err,
    Setup,
}

impl Stream {
    const ALL: [Self; 3] = [Self::Out, Self::Err, Self::Setup];

    fn letter(self) -> u8 {
        match self {
            Self::Out => b'o',
            Self::Err => b'e',
            Self::Setup => b's',
        }
    }

    /// The word in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Out => "stdout",
            Self::Err => "stderr",
            Self::Setup => "setup",
        }
    }
}

/// The beginning of every line that came in one piece: they share their time.
#[derive(Debug, Clone)]
pub struct Prefix(Vec<u8>);

impl Prefix {
    /// A prefix with the longest form of a time, RFC 3339 in UTC with nanoseconds.
    pub fn new(time: Timestamp, stream: Stream, instance: u32) -> Self {
        Self(format!("{time:.9} {} {instance} ", char::from(stream.letter())).into_bytes())
    }

    /// Appends one record.
    pub fn write(&self, text: &[u8], continues: bool, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&self.0);
        if continues {
            out[start + TIME_LENGTH + 1].make_ascii_uppercase();
        }
        out.extend_from_slice(text);
        out.push(b'\n');
    }
}

/// `2026-11-21T19:12:00.123456789Z`
const TIME_LENGTH: usize = 30;

/// A record, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub time: Timestamp,
    pub stream: Stream,
    pub instance: u32,
    /// What the service wrote; bytes that are no UTF-8 are replaced.
    pub text: String,
    /// The next record is the rest of it.
    pub continues: bool,
}

impl Line {
    /// Reads a record without its newline; `None` for the head of a segment and for what nobody here wrote.
    pub fn parse(record: &[u8]) -> Option<Self> {
        let (time, rest) = record.split_at_checked(TIME_LENGTH)?;
        let time = std::str::from_utf8(time).ok()?.parse().ok()?;
        let [b' ', letter, b' ', rest @ ..] = rest else { return None };
        let stream = Stream::ALL.into_iter().find(|stream| stream.letter() == letter.to_ascii_lowercase())?;
        let space = memchr::memchr(b' ', rest)?;
        let instance = std::str::from_utf8(&rest[..space]).ok()?.parse().ok()?;
        let text = String::from_utf8_lossy(&rest[space + 1..]).into_owned();
        Some(Self { time, stream, instance, text, continues: letter.is_ascii_uppercase() })
    }

    /// Only the time of a record, for searching.
    pub fn time_of(record: &[u8]) -> Option<Timestamp> {
        std::str::from_utf8(record.get(..TIME_LENGTH)?).ok()?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_survives_the_way() {
        let time: Timestamp = "2026-11-21T19:12:00.000000009Z".parse().unwrap();
        let mut out = Vec::new();
        Prefix::new(time, Stream::Err, 12).write(b"a b\xff", true, &mut out);
        assert_eq!(out, b"2026-11-21T19:12:00.000000009Z E 12 a b\xff\n");
        let line = Line::parse(out.strip_suffix(b"\n").unwrap()).unwrap();
        assert_eq!(line, Line { time, stream: Stream::Err, instance: 12, text: "a b\u{fffd}".into(), continues: true });
        assert_eq!(Line::parse(b"# nagaya log 1 first=0"), None);
    }
}

//! What a task wrote, as it is kept: lines with the stream that each went to.

/// Where a line was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    Out,
    Err,
}

/// Longer logs are not kept whole: their first part is, and a line that says so.
const LONGEST: usize = 64 << 20;

/// Lines in the order in which they came. A line is a letter, its length in four bytes, and its text.
#[derive(Debug, Default)]
pub struct Log {
    bytes: Vec<u8>,
    is_full: bool,
}

impl Log {
    /// Adds a line.
    pub fn add(&mut self, stream: Stream, line: &[u8]) {
        if self.is_full {
            return;
        }
        if self.bytes.len() + line.len() > LONGEST {
            self.is_full = true;
            return self.push(Stream::Err, b"(nagaya kept no more of this)");
        }
        self.push(stream, line);
    }

    fn push(&mut self, stream: Stream, line: &[u8]) {
        self.bytes.push(if stream == Stream::Out { b'o' } else { b'e' });
        self.bytes.extend_from_slice(&u32::try_from(line.len()).unwrap_or(0).to_le_bytes());
        self.bytes.extend_from_slice(line);
    }

    /// As it is kept.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The lines of a log that was kept, as far as it makes sense.
    pub fn lines(mut bytes: &[u8]) -> impl Iterator<Item = (Stream, &[u8])> {
        std::iter::from_fn(move || {
            let (letter, rest) = bytes.split_first()?;
            let (length, rest) = rest.split_first_chunk::<4>()?;
            let (line, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
            bytes = rest;
            Some((if *letter == b'o' { Stream::Out } else { Stream::Err }, line))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_back_with_their_streams() {
        let mut log = Log::default();
        let lines = [(Stream::Out, &b"a"[..]), (Stream::Err, b""), (Stream::Out, b"\xff\n")];
        lines.iter().for_each(|(stream, line)| log.add(*stream, line));
        assert_eq!(Log::lines(log.bytes()).collect::<Vec<_>>(), lines);
        for end in 0..log.bytes().len() {
            assert!(Log::lines(&log.bytes()[..end]).count() < 3);
        }
    }

    #[test]
    fn a_log_has_an_end() {
        let mut log = Log::default();
        let line = vec![b'x'; 1 << 20];
        (0..100).for_each(|_| log.add(Stream::Out, &line));
        assert!(log.bytes().len() < LONGEST + 1000);
        assert!(Log::lines(log.bytes()).last().unwrap().1.starts_with(b"(nagaya kept"));
    }
}

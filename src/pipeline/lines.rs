//! Whole lines out of pieces.

/// Longer lines are passed on in parts, so that none can fill the memory.
const LONGEST: usize = 64 << 10;

/// Bytes of a line that has not ended yet.
#[derive(Debug, Default)]
pub struct Lines(Vec<u8>);

impl Lines {
    /// Adds a piece and passes on each line that is whole now, without its end.
    pub fn add(&mut self, mut piece: &[u8], mut line: impl FnMut(&[u8])) {
        while let Some(end) = memchr::memchr(b'\n', piece) {
            self.0.extend_from_slice(&piece[..end]);
            line(self.0.strip_suffix(b"\r").unwrap_or(&self.0));
            self.0.clear();
            piece = &piece[end + 1..];
        }
        self.0.extend_from_slice(piece);
        if self.0.len() >= LONGEST {
            line(&self.0);
            self.0.clear();
        }
    }

    /// What comes after the last end of a line.
    pub fn rest(&mut self, line: impl FnOnce(&[u8])) {
        if !self.0.is_empty() {
            line(&self.0);
            self.0.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_become_lines() {
        let mut lines = Lines::default();
        let mut seen = Vec::new();
        for piece in ["a", "b\nc\r\n\nd", "e"] {
            lines.add(piece.as_bytes(), |line| seen.push(String::from_utf8_lossy(line).into_owned()));
        }
        lines.rest(|line| seen.push(String::from_utf8_lossy(line).into_owned()));
        assert_eq!(seen, ["ab", "c", "", "de"]);
        lines.rest(|_| panic!("nothing is left"));
    }

    #[test]
    fn a_line_without_end_is_cut() {
        let mut lines = Lines::default();
        let mut count = 0;
        (0..200).for_each(|_| lines.add(&[b'x'; 1000], |line| count += line.len()));
        assert!(count >= 2 * LONGEST);
    }
}

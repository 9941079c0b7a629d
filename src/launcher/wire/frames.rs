//! Whole messages out of a stream of bytes.

use std::io;

use super::LARGEST;
use super::coding::malformed;

/// Bytes received so far, from which whole frames are taken.
#[derive(Debug, Default)]
pub struct Frames {
    buffer: Vec<u8>,
    read: usize,
}

impl Frames {
    /// Adds what was received.
    pub fn extend(&mut self, bytes: &[u8]) {
        if self.read == self.buffer.len() {
            self.buffer.clear();
            self.read = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Takes the body of the next whole frame.
    pub fn next(&mut self) -> io::Result<Option<&[u8]>> {
        let Some((prefix, rest)) = self.buffer[self.read..].split_first_chunk::<4>() else { return Ok(None) };
        let length = u32::from_le_bytes(*prefix) as usize;
        if length > LARGEST {
            return Err(malformed());
        }
        if rest.len() < length {
            return Ok(None);
        }
        let start = self.read + 4;
        self.read = start + length;
        Ok(Some(&self.buffer[start..start + length]))
    }
}

//! Labels: the elements of names.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// The most bytes that are kept in place.
const SHORT: usize = 22;

/// One element of a path: any bytes, at least one, slashes and all.
///
/// Binding copies a dozen of them a request, so nearly all are kept in place: no allocation, and no counter that all
/// processors share.
#[derive(Clone)]
pub struct Label(Bytes);

#[derive(Clone)]
enum Bytes {
    Short { length: u8, bytes: [u8; SHORT] },
    Long(Arc<[u8]>),
}

impl Label {
    /// `None` for no bytes: there is no empty element.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let length = u8::try_from(bytes.len()).ok().filter(|length| usize::from(*length) <= SHORT);
        Some(Self(match length {
            Some(0) => return None,
            Some(length) => {
                let mut short = [0; SHORT];
                short[..bytes.len()].copy_from_slice(bytes);
                Bytes::Short { length, bytes: short }
            }
            None => Bytes::Long(bytes.into()),
        }))
    }

    /// What is in it.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Bytes::Short { length, bytes } => &bytes[..usize::from(*length)],
            Bytes::Long(bytes) => bytes,
        }
    }

    /// What is in it, where that is text.
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(self.as_bytes()).ok()
    }
}

impl PartialEq for Label {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Label {}

impl PartialOrd for Label {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Label {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl Hash for Label {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl fmt::Debug for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Whether a byte stands for itself in a text; all others are written `\xHH` (finagle: `Path.showableChars`).
pub(super) fn is_showable(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_:.#$%-".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_every_length_are_the_same_wherever_they_are_kept() {
        assert_eq!(size_of::<Label>(), 24);
        assert_eq!(Label::new(b""), None);
        for length in [1, 21, 22, 23, 255, 256, 300] {
            let bytes = vec![b'x'; length];
            let label = Label::new(&bytes).unwrap();
            assert_eq!(label.as_bytes(), bytes);
            assert_eq!(label.clone(), label);
        }
        assert!(Label::new(b"b") > Label::new(&[b'a'; 30]));
    }
}

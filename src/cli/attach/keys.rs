//! The keys that detach: as Docker writes them, and found in what is typed.

/// Keys in a row that are not passed on but end the attachment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetachKeys(Vec<u8>);

impl DetachKeys {
    /// Docker's.
    pub const USUAL: &str = "ctrl-p,ctrl-q";

    /// Reads `ctrl-p,ctrl-q` or `ctrl-a,d`: letters, and `ctrl-` with a letter or one of `@ [ \\ ] ^ _`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let key = |word: &str| {
            let wrong = || format!("`{word}` is no key: write a letter, or `ctrl-` and a letter");
            match (word.strip_prefix("ctrl-").map(str::as_bytes), word.as_bytes()) {
                (Some([byte @ (b'@' | b'[' | b'\\' | b']' | b'^' | b'_' | b'a'..=b'z' | b'A'..=b'Z')]), _) => {
                    Ok(byte & 0x1f)
                }
                (None, [byte]) if byte.is_ascii_graphic() => Ok(*byte),
                _ => Err(wrong()),
            }
        };
        text.split(',').map(key).collect::<Result<_, _>>().map(Self)
    }
}

/// Looks for the keys in what is typed.
#[derive(Debug)]
pub struct Watch {
    keys: DetachKeys,
    /// So many of them were typed last, and are kept back.
    kept: usize,
}

impl Watch {
    pub fn new(keys: DetachKeys) -> Self {
        Self { keys, kept: 0 }
    }

    /// What is to be passed on of what was typed; and whether the keys were among it, behind that.
    pub fn typed(&mut self, bytes: &[u8]) -> (Vec<u8>, bool) {
        let keys = &self.keys.0;
        let mut out = Vec::with_capacity(bytes.len() + self.kept);
        for byte in bytes {
            if keys[self.kept] == *byte {
                self.kept += 1;
                if self.kept == keys.len() {
                    self.kept = 0;
                    return (out, true);
                }
                continue;
            }
            out.extend_from_slice(&keys[..self.kept]);
            self.kept = usize::from(keys[0] == *byte);
            if self.kept == 0 {
                out.push(*byte);
            } else if keys.len() == 1 {
                return (out, true);
            }
        }
        (out, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_written_as_for_docker() {
        let read = |text: &str| DetachKeys::parse(text).map(|keys| keys.0);
        assert_eq!(read(DetachKeys::USUAL), Ok(vec![16, 17]));
        assert_eq!(read("ctrl-a,d"), Ok(vec![1, b'd']));
        assert_eq!((read("ctrl-@"), read("ctrl-]"), read("~")), (Ok(vec![0]), Ok(vec![29]), Ok(vec![b'~'])));
        for wrong in ["", "ctrl-", "ctrl-ab", "ab", "a,,b", "ctrl-1", "\u{e9}"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn they_are_found_wherever_they_are_split_and_what_is_typed_else_arrives() {
        let watch = || Watch::new(DetachKeys::parse(DetachKeys::USUAL).unwrap());
        let cases: [(&[u8], &[u8], bool); 6] = [
            (b"ls\n", b"ls\n", false),
            (b"ls\x10\x11rest", b"ls", true),
            (b"\x10x", b"\x10x", false),
            (b"\x10\x10\x11", b"\x10", true),
            (b"\x11\x10", b"\x11", false),
            (b"", b"", false),
        ];
        for (typed, passed, is_over) in cases {
            assert_eq!(watch().typed(typed), (passed.to_vec(), is_over), "{typed:?}");
            let (mut one, mut out, mut over) = (watch(), Vec::new(), false);
            for byte in typed {
                let (passed, is_over) = one.typed(&[*byte]);
                out.extend(passed);
                over |= is_over;
                if over {
                    break;
                }
            }
            assert_eq!((out, over), (passed.to_vec(), is_over), "{typed:?}");
        }
        let mut single = Watch::new(DetachKeys::parse("ctrl-a").unwrap());
        assert_eq!(single.typed(b"x\x01y"), (b"x".to_vec(), true));
    }
}

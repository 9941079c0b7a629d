//! Attributes in messages of the kernel's: a length, a kind, a value.

use super::NESTED;

/// The value of the first attribute of a kind.
pub fn find(mut attributes: &[u8], wanted: u16) -> Option<&[u8]> {
    loop {
        let (kind, value, rest) = attribute(attributes)?;
        if kind == wanted {
            return Some(value);
        }
        attributes = rest;
    }
}

/// The values of all attributes of a kind.
pub fn all(mut attributes: &[u8], wanted: u16) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        loop {
            let (kind, value, rest) = attribute(attributes)?;
            attributes = rest;
            if kind == wanted {
                return Some(value);
            }
        }
    })
}

/// The first attribute, and what is behind it.
fn attribute(attributes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let ([l0, l1, k0, k1], _) = attributes.split_first_chunk::<4>()?;
    let length = usize::from(u16::from_ne_bytes([*l0, *l1]));
    let value = attributes.get(4..length)?;
    let kind = u16::from_ne_bytes([*k0, *k1]) & !NESTED;
    Some((kind, value, attributes.get(length.next_multiple_of(4)..).unwrap_or_default()))
}

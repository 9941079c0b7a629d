//! As much of Protocol Buffers' encoding as BuildKit's few messages take (protobuf.dev/programming-guides/encoding).

/// The value of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The fields of a message by their numbers, up to what is no field.
pub struct Fields<'a>(&'a [u8]);

/// The fields of a message.
pub fn fields(message: &[u8]) -> Fields<'_> {
    Fields(message)
}

impl<'a> Iterator for Fields<'a> {
    type Item = (u64, Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let tag = self.number()?;
        let value = match tag & 7 {
            0 => Value::Number(self.number()?),
            1 => Value::Bytes(self.take(8)?),
            2 => {
                let length = usize::try_from(self.number()?).ok()?;
                Value::Bytes(self.take(length)?)
            }
            5 => Value::Bytes(self.take(4)?),
            _ => return None,
        };
        Some((tag >> 3, value))
    }
}

impl<'a> Fields<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }
}

/// The bytes of a field.
pub fn bytes(message: &[u8], number: u64) -> Option<&[u8]> {
    fields(message).find_map(|(known, value)| match value {
        Value::Bytes(bytes) if known == number => Some(bytes),
        _ => None,
    })
}

/// The text of a field; an empty one where there is none.
pub fn text(message: &[u8], number: u64) -> String {
    String::from_utf8_lossy(bytes(message, number).unwrap_or_default()).into_owned()
}

/// The number of a field; 0 where there is none.
pub fn number(message: &[u8], number: u64) -> u64 {
    let found = fields(message).find_map(|(known, value)| match value {
        Value::Number(value) if known == number => Some(value),
        _ => None,
    });
    found.unwrap_or(0)
}

/// A field with bytes in it.
pub fn field(number: u64, bytes: &[u8]) -> Vec<u8> {
    let mut out = varint(number << 3 | 2);
    out.extend(varint(bytes.len() as u64));
    out.extend_from_slice(bytes);
    out
}

/// A field with a number in it.
pub fn number_field(number: u64, value: u64) -> Vec<u8> {
    [varint(number << 3), varint(value)].concat()
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let byte = number.to_le_bytes()[0] & 0x7f;
        number >>= 7;
        out.push(if number == 0 { byte } else { byte | 0x80 });
        if number == 0 {
            return out;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let long = vec![b'x'; 300];
        let message = [field(1, b"name"), number_field(5, 300), field(16, &long)].concat();
        assert_eq!(text(&message, 1), "name");
        assert_eq!(number(&message, 5), 300);
        assert_eq!(bytes(&message, 16), Some(&long[..]));
        assert_eq!((bytes(&message, 2), number(&message, 2), text(&message, 2)), (None, 0, String::new()));
        // The documentation's own example.
        assert_eq!(number(&[0x08, 0x96, 0x01], 1), 150);
    }

    #[test]
    fn what_is_cut_off_or_nonsense_ends_it() {
        let message = field(1, b"name");
        for end in 0..message.len() {
            assert_eq!(fields(&message[..end]).count(), 0, "{end}");
        }
        assert_eq!(fields(&[0xff; 20]).count(), 0);
        assert_eq!(fields(&[0x0b]).count(), 0);
    }
}

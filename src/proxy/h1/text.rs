//! Numbers as text, without a detour over formatting.

/// A length in hexadecimal, without leading zeros.
pub fn hex(number: u64, out: &mut Vec<u8>) {
    let digits = (64 - number.leading_zeros()).div_ceil(4).max(1);
    out.extend((0..digits).rev().map(|place| DIGITS[(number >> (4 * place) & 0xf) as usize]));
}

/// A number in decimal.
pub fn decimal(mut number: u64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = DIGITS[(number % 10) as usize];
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_formatting_would() {
        for number in [0, 1, 9, 10, 15, 16, 255, 4096, u64::from(u32::MAX), u64::MAX] {
            let (mut as_hex, mut as_decimal) = (Vec::new(), Vec::new());
            hex(number, &mut as_hex);
            decimal(number, &mut as_decimal);
            assert_eq!(as_hex, format!("{number:x}").into_bytes());
            assert_eq!(as_decimal, number.to_string().into_bytes());
        }
    }
}

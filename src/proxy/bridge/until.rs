//! Until when a caller waits for a call by gRPC.

use std::time::{Duration, Instant};

use hyper::HeaderMap;

use crate::effects::clock;

/// The moment at which its time is over.
#[derive(Debug, Clone, Copy)]
pub struct Until(Instant);

impl Until {
    /// That of a call which began then, where it says so: `grpc-timeout` has up to 8 digits and a unit (gRPC over HTTP2,
    /// "Requests"). Its callee counts from later on.
    pub fn of(headers: &HeaderMap, begun: Instant) -> Option<Self> {
        let timeout = timeout(headers.get("grpc-timeout")?.as_bytes())?;
        begun.checked_add(timeout).map(Self)
    }

    /// Whether that has come.
    pub fn is_over(self) -> bool {
        clock::instant() >= self.0
    }
}

fn timeout(text: &[u8]) -> Option<Duration> {
    let (unit, digits) = text.split_last()?;
    if !(1..=8).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(match unit {
        b'H' => Duration::from_secs(number * 3600),
        b'M' => Duration::from_secs(number * 60),
        b'S' => Duration::from_secs(number),
        b'm' => Duration::from_millis(number),
        b'u' => Duration::from_micros(number),
        b'n' => Duration::from_nanos(number),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_has_a_unit() {
        let cases = [
            ("1H", Some(3_600_000_000_000)),
            ("2M", Some(120_000_000_000)),
            ("3S", Some(3_000_000_000)),
            ("200m", Some(200_000_000)),
            ("5u", Some(5000)),
            ("00000007n", Some(7)),
            ("99999999H", Some(359_999_996_400_000_000_000)),
            ("", None),
            ("S", None),
            ("1", None),
            ("1s", None),
            ("-1S", None),
            ("+1S", None),
            ("123456789S", None),
        ];
        for (text, nanos) in cases {
            assert_eq!(timeout(text.as_bytes()).map(|timeout| timeout.as_nanos()), nanos, "{text}");
        }
    }
}

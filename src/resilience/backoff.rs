//! Growing delays between tries.

use std::time::Duration;

use crate::model::{BackoffSpec, Jitter};

/// The delay before try `n` (from 0) after the first: `base * 2^n`, at most `max`, blurred as the spec says.
/// `random` is between 0 and 1.
pub fn delay(spec: &BackoffSpec, n: u32, random: f64) -> Duration {
    let doubled = spec.base.checked_mul(1u32.checked_shl(n.min(31)).unwrap_or(u32::MAX)).unwrap_or(spec.max);
    let full = doubled.min(spec.max);
    match spec.jitter {
        Jitter::None => full,
        Jitter::Full => full.mul_f64(random),
        Jitter::Equal => full / 2 + (full / 2).mul_f64(random),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(jitter: Jitter) -> BackoffSpec {
        BackoffSpec { base: Duration::from_millis(100), max: Duration::from_secs(1), jitter }
    }

    #[test]
    fn doubles_up_to_its_limit() {
        let millis: Vec<u128> =
            [0, 1, 2, 3, 4, 40, u32::MAX].iter().map(|&n| delay(&spec(Jitter::None), n, 0.5).as_millis()).collect();
        assert_eq!(millis, [100, 200, 400, 800, 1000, 1000, 1000]);
    }

    #[test]
    fn jitter_stays_in_its_range() {
        let millis = |jitter, random| delay(&spec(jitter), 1, random).as_millis();
        assert_eq!((millis(Jitter::Full, 0.0), millis(Jitter::Full, 1.0)), (0, 200));
        assert_eq!((millis(Jitter::Equal, 0.0), millis(Jitter::Equal, 1.0)), (100, 200));
    }
}

//! How well requests were served in one stage of a shift.

use std::time::Duration;

use super::Served;

/// Times that are kept.
const KEPT: usize = 10_000;

/// What was served in one stage.
#[derive(Debug, Clone, Default)]
pub struct Measure {
    pub count: usize,
    failed: usize,
    /// The last times, at most [`KEPT`].
    took: Vec<Duration>,
}

impl Measure {
    /// One more.
    pub fn add(&mut self, served: Served) {
        if self.took.len() < KEPT {
            self.took.push(served.took);
        } else {
            self.took[self.count % KEPT] = served.took;
        }
        self.count += 1;
        self.failed += usize::from(served.failed);
    }

    /// The share of failures, in percent.
    #[allow(clippy::cast_precision_loss, reason = "a percentage")]
    pub fn failures(&self) -> f64 {
        self.failed as f64 * 100.0 / self.count.max(1) as f64
    }

    /// The time in which 99 of a hundred were served, by nearest rank.
    pub fn p99(&self) -> Duration {
        let mut took = self.took.clone();
        let rank = (took.len() * 99).div_ceil(100);
        match rank.checked_sub(1) {
            Some(place) => *took.select_nth_unstable(place).1,
            None => Duration::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served(failed: bool, millis: u64) -> Served {
        Served { by_new: true, failed, took: Duration::from_millis(millis) }
    }

    #[test]
    fn times_are_kept_within_bounds() {
        let mut measure = Measure::default();
        (0..3 * KEPT).for_each(|_| measure.add(served(true, 1)));
        (0..KEPT).for_each(|_| measure.add(served(false, 2)));
        assert_eq!((measure.count, measure.took.len(), measure.p99()), (4 * KEPT, KEPT, Duration::from_millis(2)));
        assert!((measure.failures() - 75.0).abs() < 1e-9);
    }
}

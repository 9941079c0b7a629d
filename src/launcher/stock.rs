//! Sockets that a pod has made and nobody has used yet: one order brings several, so that calls seldom wait for it.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// How many are ordered at once, at first and at most. Each of those left over is a descriptor of the engine's, in each
/// pod that was ever called often.
const FEW: u8 = 1;
const MANY: u8 = 16;
/// Who comes back within this time needs more at once; who comes later, few.
const SOON: Duration = Duration::from_secs(1);

/// A stock of sockets, ordered only when there is none.
#[derive(Debug, Default)]
pub struct Stock {
    sockets: Vec<OwnedFd>,
    /// The last order: when, and how many.
    last: Option<(Instant, u8)>,
}

impl Stock {
    /// One of the stock.
    pub fn take(&mut self) -> Option<OwnedFd> {
        self.sockets.pop()
    }

    /// How many are to be ordered now.
    pub fn order(&mut self, now: Instant) -> u8 {
        let count = match self.last {
            Some((at, count)) if now.duration_since(at) < SOON => count.saturating_mul(2).min(MANY),
            _ => FEW,
        };
        self.last = Some((now, count));
        count
    }

    /// Takes what came of an order. Answers one of it, where anything came.
    pub fn fill(&mut self, mut sockets: Vec<OwnedFd>) -> Option<OwnedFd> {
        let one = sockets.pop();
        self.sockets.append(&mut sockets);
        one
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_grow_while_they_are_used_up_quickly() {
        let (begun, mut stock) = (Instant::now(), Stock::default());
        let at = |stock: &mut Stock, millis| stock.order(begun + Duration::from_millis(millis));
        assert_eq!([0, 10, 20, 30, 40, 50].map(|millis| at(&mut stock, millis)), [1, 2, 4, 8, 16, 16]);
        assert_eq!([2000, 2999, 3999].map(|millis| at(&mut stock, millis)), [1, 2, 1]);
    }
}

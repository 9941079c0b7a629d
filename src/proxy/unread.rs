//! Requests that could not be read, and how many of them are recorded: a flood of them is not to push all others out.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// So many are recorded in each such while.
const MOST: u32 = 10;
const WHILE: Duration = Duration::from_secs(1);

/// Counts them; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Unread(Rc<Cell<Counted>>);

#[derive(Debug, Clone, Copy, Default)]
struct Counted {
    since: Option<Instant>,
    recorded: u32,
    /// Those that were not, since the last one that was.
    passed_over: u32,
}

impl Unread {
    /// Whether one more is to be recorded; with how many before it were not.
    pub fn admit(&self, now: Instant) -> Option<u32> {
        let mut counted = self.0.get();
        if counted.since.is_none_or(|since| now.saturating_duration_since(since) >= WHILE) {
            (counted.since, counted.recorded) = (Some(now), 0);
        }
        let passed_over = match counted.recorded < MOST {
            true => {
                counted.recorded += 1;
                Some(std::mem::take(&mut counted.passed_over))
            }
            false => {
                counted.passed_over = counted.passed_over.saturating_add(1);
                None
            }
        };
        self.0.set(counted);
        passed_over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_flood_a_few_are_recorded_and_the_others_counted() {
        let (unread, begun) = (Unread::default(), crate::effects::clock::instant());
        let first: Vec<_> = (0..100).map(|_| unread.admit(begun)).collect();
        assert_eq!(first.iter().filter(|it| **it == Some(0)).count(), 10);
        assert_eq!(first.iter().filter(|it| it.is_none()).count(), 90);
        assert_eq!(unread.admit(begun + WHILE), Some(90));
        assert_eq!(unread.admit(begun + WHILE), Some(0));
    }
}

//! How many instances the calls of a service are worth.
//!
//! As Kubernetes' HorizontalPodAutoscaler decides it from a mean for each pod (`AverageValue`): calls under way divided by
//! those that one instance is to have, rounded up; a tenth off is near enough; up at once but at most twofold or by four; down
//! to no less than was worth having at any time within the window.

use std::collections::VecDeque;
use std::time::Duration;

use crate::model::Autoscale;

/// So far from what is wanted, as a share of it, is near enough: `--horizontal-pod-autoscaler-tolerance`.
const TOLERANCE: f64 = 0.1;
/// At least so many may come at once; else as many as there are.
const STEP: u32 = 4;

/// Decides, with what it remembers of earlier decisions.
#[derive(Debug, Clone, Default)]
pub struct Scaler {
    /// Numbers that were worth having and when, each lower and later than the one before it.
    held: VecDeque<(Duration, u32)>,
}

impl Scaler {
    /// There are so many already, for reasons of the past.
    pub fn from(now: Duration, current: u32) -> Self {
        Self { held: VecDeque::from([(now, current)]) }
    }

    /// How many there are to be from now on, where there are `current` and so many calls were under way in the mean.
    pub fn decide(&mut self, spec: &Autoscale, now: Duration, current: u32, in_flight: f64) -> u32 {
        let worth = worth(spec, current, in_flight);
        while self.held.back().is_some_and(|(_, other)| *other <= worth) {
            self.held.pop_back();
        }
        self.held.push_back((now, worth));
        while self.held.front().is_some_and(|(at, _)| *at + spec.window < now) {
            self.held.pop_front();
        }
        if worth > current {
            return worth.min((current * 2).max(current + STEP));
        }
        let kept = self.held.front().map_or(worth, |(_, worth)| *worth);
        kept.min(current)
    }

    /// When the decision may be a lower one though nothing is called.
    pub fn falls_at(&self, spec: &Autoscale) -> Option<Duration> {
        let (at, _) = self.held.front()?;
        Some(*at + spec.window + Duration::from_millis(1))
    }
}

fn worth(spec: &Autoscale, current: u32, in_flight: f64) -> u32 {
    let wanted = f64::from(spec.in_flight) * f64::from(current);
    let worth = match (in_flight / wanted - 1.0).abs() <= TOLERANCE {
        true => current,
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it saturates, and is clamped below"
        )]
        false => (in_flight / f64::from(spec.in_flight)).ceil() as u32,
    };
    worth.clamp(spec.min, spec.max)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: Autoscale =
        Autoscale { min: 1, max: 20, in_flight: 10, period: Duration::from_secs(15), window: Duration::from_secs(60) };

    #[test]
    fn worth_follows_the_calls_with_some_tolerance() {
        let cases = [
            (1, 0.0, 1),
            (1, 10.9, 1),
            (1, 11.1, 2),
            (3, 27.1, 3),
            (3, 26.0, 3),
            (3, 20.0, 2),
            (3, 20.1, 3),
            (3, 0.1, 1),
            (20, 900.0, 20),
        ];
        for (current, in_flight, expected) in cases {
            assert_eq!(worth(&SPEC, current, in_flight), expected, "{current} with {in_flight}");
        }
    }

    #[test]
    fn it_goes_up_at_once_but_not_to_any_number() {
        let decide = |current, in_flight| Scaler::default().decide(&SPEC, Duration::ZERO, current, in_flight);
        assert_eq!([decide(1, 30.0), decide(1, 200.0), decide(5, 200.0), decide(8, 200.0)], [3, 5, 10, 16]);
    }

    #[test]
    fn it_goes_down_to_what_was_worth_having_within_the_window() {
        let mut scaler = Scaler::default();
        let mut decide =
            |second, current, in_flight| scaler.decide(&SPEC, Duration::from_secs(second), current, in_flight);
        assert_eq!(decide(0, 1, 50.0), 5);
        assert_eq!(decide(15, 5, 30.0), 5);
        assert_eq!(decide(60, 5, 0.0), 5);
        assert_eq!(decide(61, 5, 0.0), 3);
        assert_eq!(decide(75, 3, 20.0), 3);
        assert_eq!(decide(76, 3, 0.0), 2);
        assert_eq!(decide(300, 2, 0.0), 1);
    }

    #[test]
    fn a_fall_is_foreseen() {
        let mut scaler = Scaler::default();
        assert_eq!(scaler.falls_at(&SPEC), None);
        scaler.decide(&SPEC, Duration::from_secs(5), 1, 50.0);
        scaler.decide(&SPEC, Duration::from_secs(20), 5, 0.0);
        let falls = scaler.falls_at(&SPEC).unwrap();
        assert_eq!(falls, Duration::from_millis(65_001));
        assert_eq!(scaler.decide(&SPEC, falls, 5, 0.0), 1);
    }
}

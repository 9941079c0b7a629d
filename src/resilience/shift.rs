//! A shift of requests from the versions of a service to one of them, step by step, as long as that one does well.
//!
//! Shares and rates are in percent, times are since the shift began.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Where a shift goes, and how fast.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Course {
    /// The share that the version has before.
    pub from: f64,
    pub to: f64,
    /// By so much at once.
    pub step: f64,
    pub over: Duration,
}

/// When a version does not do well. It is compared with the others together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// So many more of its requests fail than of the others', in points of percent.
    pub errors: Option<f64>,
    /// The time in which 99 of a hundred of its requests are served is so many times the others'.
    pub p99: Option<f64>,
}

/// A request that was served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Served {
    /// By the version that is shifted to.
    pub by_new: bool,
    pub failed: bool,
    pub took: Duration,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    Stay,
    /// Give the version this share.
    Step(f64),
    /// It has had its last share for long enough.
    Done,
    Abort(Reason),
}

/// Why a shift is broken off.
#[derive(Debug, Clone, PartialEq)]
pub enum Reason {
    Errors { new: f64, others: f64, limit: f64 },
    Slow { new: Duration, others: Duration, limit: f64 },
}

/// A shift under way.
#[derive(Debug, Clone)]
pub struct Shift {
    shares: Vec<f64>,
    pause: Duration,
    limits: Limits,
    /// The place in `shares` of the present one.
    stage: usize,
    new: Measure,
    others: Measure,
    /// The others' measure of the last stage in which they served enough.
    before: Option<Measure>,
}

/// What was served in one stage.
#[derive(Debug, Clone, Default)]
struct Measure {
    count: usize,
    failed: usize,
    /// The last times, at most [`KEPT`].
    took: Vec<Duration>,
}

/// Requests that say something about failures.
const ENOUGH: usize = 20;
/// Requests that say something about the slowest hundredth.
const ENOUGH_TIMES: usize = 100;
/// Times that are kept.
const KEPT: usize = 10_000;

impl Course {
    /// The shares on the way, the last one included: evenly, with steps of at most `step`.
    pub fn shares(&self) -> Vec<f64> {
        let way = self.to - self.from;
        let wanted = (way.abs() / self.step).ceil();
        // A step that is no number makes one of all.
        let count = if (1.0..=10_000.0).contains(&wanted) { wanted } else { 1.0 };
        let at = |place: f64| ((self.from + way * place / count) * 1e6).round() / 1e6;
        let mut shares = Vec::new();
        let mut place = 1.0;
        while place < count {
            shares.push(at(place));
            place += 1.0;
        }
        shares.push(self.to);
        shares
    }
}

impl Shift {
    /// A shift at its first share, which is [`share`](Self::share).
    pub fn new(course: Course, limits: Limits) -> Self {
        let shares = course.shares();
        let pause = course.over / u32::try_from(shares.len()).unwrap_or(u32::MAX);
        Self { shares, pause, limits, stage: 0, new: Measure::default(), others: Measure::default(), before: None }
    }

    /// The share that the version is to have now.
    pub fn share(&self) -> f64 {
        self.shares.get(self.stage).copied().unwrap_or_default()
    }

    /// Which step this is, from 1, and of how many.
    pub fn step(&self) -> (usize, usize) {
        (self.stage + 1, self.shares.len())
    }

    /// When the present stage ends.
    pub fn next(&self) -> Duration {
        self.pause.saturating_mul(u32::try_from(self.stage + 1).unwrap_or(u32::MAX))
    }

    /// Takes in what was served in this stage.
    pub fn observe(&mut self, served: Served) {
        let measure = if served.by_new { &mut self.new } else { &mut self.others };
        measure.add(served);
    }

    /// What is to be done now.
    pub fn look(&mut self, now: Duration) -> Verdict {
        if let Some(reason) = self.trouble() {
            return Verdict::Abort(reason);
        }
        if now < self.next() {
            return Verdict::Stay;
        }
        if self.stage + 1 == self.shares.len() {
            return Verdict::Done;
        }
        self.stage += 1;
        self.new = Measure::default();
        let others = std::mem::take(&mut self.others);
        if others.count >= ENOUGH {
            self.before = Some(others);
        }
        Verdict::Step(self.share())
    }

    fn trouble(&self) -> Option<Reason> {
        let others = if self.others.count >= ENOUGH { Some(&self.others) } else { self.before.as_ref() };
        if let Some(limit) = self.limits.errors.filter(|_| self.new.count >= ENOUGH) {
            let (new, others) = (self.new.failures(), others.map_or(0.0, Measure::failures));
            if new > others + limit {
                return Some(Reason::Errors { new, others, limit });
            }
        }
        let limit = self.limits.p99.filter(|_| self.new.count >= ENOUGH_TIMES)?;
        let others = others.filter(|others| others.count >= ENOUGH_TIMES)?.p99();
        let new = self.new.p99();
        (new > others.mul_f64(limit)).then_some(Reason::Slow { new, others, limit })
    }
}

impl Measure {
    fn add(&mut self, served: Served) {
        if self.took.len() < KEPT {
            self.took.push(served.took);
        } else {
            self.took[self.count % KEPT] = served.took;
        }
        self.count += 1;
        self.failed += usize::from(served.failed);
    }

    /// The share of failures.
    #[allow(clippy::cast_precision_loss, reason = "a percentage")]
    fn failures(&self) -> f64 {
        self.failed as f64 * 100.0 / self.count.max(1) as f64
    }

    /// By nearest rank.
    fn p99(&self) -> Duration {
        let mut took = self.took.clone();
        let rank = (took.len() * 99).div_ceil(100);
        match rank.checked_sub(1) {
            Some(place) => *took.select_nth_unstable(place).1,
            None => Duration::ZERO,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Errors { new, others, limit } => {
                write!(f, "{new:.1} % of its requests failed, of the others' {others:.1} %; {limit} more are allowed")
            }
            Self::Slow { new, others, limit } => {
                let millis = |it: &Duration| it.as_secs_f64() * 1e3;
                write!(
                    f,
                    "its p99 was {:.1} ms, the others' {:.1} ms; {limit} times that is allowed",
                    millis(new),
                    millis(others)
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn course(from: f64, to: f64, step: f64) -> Course {
        Course { from, to, step, over: MINUTE }
    }

    fn served(by_new: bool, failed: bool, millis: u64) -> Served {
        Served { by_new, failed, took: Duration::from_millis(millis) }
    }

    #[test]
    fn the_way_is_even_and_ends_where_it_should() {
        let cases: [(Course, &[f64]); 7] = [
            (course(0.0, 100.0, 25.0), &[25.0, 50.0, 75.0, 100.0]),
            (course(0.0, 100.0, 40.0), &[33.333333, 66.666667, 100.0]),
            (course(90.0, 100.0, 10.0), &[100.0]),
            (course(100.0, 0.0, 50.0), &[50.0, 0.0]),
            (course(5.0, 5.0, 1.0), &[5.0]),
            (course(0.0, 10.0, 0.0), &[10.0]),
            (course(0.0, 10.0, f64::NAN), &[10.0]),
        ];
        for (course, shares) in cases {
            assert_eq!(course.shares(), shares, "{course:?}");
        }
    }

    #[test]
    fn each_stage_lasts_its_part_of_the_time() {
        let mut shift = Shift::new(course(0.0, 100.0, 50.0), Limits::default());
        assert_eq!((shift.share(), shift.step()), (50.0, (1, 2)));
        let at = |seconds| Duration::from_secs(seconds);
        let seen: Vec<Verdict> = [0, 29, 30, 31, 59, 60].into_iter().map(|seconds| shift.look(at(seconds))).collect();
        use Verdict::{Done, Stay, Step};
        assert_eq!(seen, [Stay, Stay, Step(100.0), Stay, Stay, Done]);
    }

    #[test]
    fn more_failures_than_the_others_break_it_off() {
        // Requests and failures of the new version, then of the others; the limit is one point.
        let cases = [
            ((19, 19), (100, 0), false),
            ((20, 1), (100, 0), true),
            ((100, 1), (100, 0), false),
            ((100, 2), (100, 0), true),
            ((100, 10), (100, 10), false),
            ((100, 12), (100, 10), true),
            // The others served too little to say anything.
            ((100, 2), (19, 19), true),
            ((100, 1), (0, 0), false),
        ];
        for ((count, failed), (others, theirs), aborted) in cases {
            let mut shift = Shift::new(course(0.0, 100.0, 50.0), Limits { errors: Some(1.0), p99: Some(2.0) });
            (0..count).for_each(|place| shift.observe(served(true, place < failed, 5)));
            (0..others).for_each(|place| shift.observe(served(false, place < theirs, 5)));
            let verdict = shift.look(Duration::ZERO);
            assert_eq!(
                matches!(verdict, Verdict::Abort(Reason::Errors { .. })),
                aborted,
                "{count} {failed} {verdict:?}"
            );
        }
    }

    #[test]
    fn slower_answers_than_the_others_break_it_off() {
        let cases = [
            // Two of a hundred are slow: the hundredth of the slowest begins there.
            ((100, 2), true),
            ((100, 1), false),
            ((99, 50), false),
        ];
        for ((count, slow), aborted) in cases {
            let mut shift = Shift::new(course(0.0, 100.0, 50.0), Limits { errors: None, p99: Some(1.5) });
            (0..count).for_each(|place| shift.observe(served(true, false, if place < slow { 160 } else { 90 })));
            (0..100).for_each(|_| shift.observe(served(false, true, 100)));
            let verdict = shift.look(Duration::ZERO);
            let reason =
                Reason::Slow { new: Duration::from_millis(160), others: Duration::from_millis(100), limit: 1.5 };
            assert_eq!(verdict, if aborted { Verdict::Abort(reason) } else { Verdict::Stay }, "{count} {slow}");
        }
    }

    #[test]
    fn where_all_go_to_the_new_one_it_is_compared_with_how_the_others_were() {
        let mut shift = Shift::new(course(50.0, 100.0, 25.0), Limits { errors: Some(1.0), p99: None });
        (0..100).for_each(|place| shift.observe(served(false, place < 10, 5)));
        assert_eq!(shift.look(MINUTE / 2), Verdict::Step(100.0));
        (0..100).for_each(|place| shift.observe(served(true, place < 10, 5)));
        assert_eq!(shift.look(MINUTE / 2), Verdict::Stay);
        (0..100).for_each(|place| shift.observe(served(true, place < 20, 5)));
        let Verdict::Abort(reason) = shift.look(MINUTE) else { panic!("it goes on") };
        assert_eq!(reason.to_string(), "15.0 % of its requests failed, of the others' 10.0 %; 1 more are allowed");
    }

    #[test]
    fn times_are_kept_within_bounds() {
        let mut measure = Measure::default();
        (0..3 * KEPT).for_each(|_| measure.add(served(true, true, 1)));
        (0..KEPT).for_each(|_| measure.add(served(true, false, 2)));
        assert_eq!((measure.count, measure.took.len(), measure.p99()), (4 * KEPT, KEPT, Duration::from_millis(2)));
        assert!((measure.failures() - 75.0).abs() < 1e-9);
    }
}

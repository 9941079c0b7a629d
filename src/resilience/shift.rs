//! A shift of requests from the versions of a service to one of them, step by step, as long as that one does well.
//!
//! Shares and rates are in percent, times are since the shift began.

mod measure;

use std::fmt;
use std::time::Duration;

use measure::Measure;
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
    /// The stage has had its time, and too little was served to judge the version by: it goes on.
    Hold(Lack),
    /// Give the version this share.
    Step(f64),
    /// It has had its last share for long enough.
    Done,
    Abort(Reason),
    /// So long was held that nothing more is to be expected. The share stays.
    Inconclusive(Lack),
}

/// Too few requests to judge a version by: those that were served in this stage, and how many it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lack {
    pub new: usize,
    /// None where it does not matter how the others did.
    pub others: Option<usize>,
    pub needed: usize,
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
    /// When it is given up where there is too little to judge by.
    patience: Duration,
    /// The place in `shares` of the present one.
    stage: usize,
    /// When the present stage began.
    since: Duration,
    new: Measure,
    others: Measure,
    /// The others' measure of the last stage in which they served enough.
    before: Option<Measure>,
}

/// Requests that say something about failures.
const ENOUGH: usize = 20;
/// Requests that say something about the slowest hundredth.
const ENOUGH_TIMES: usize = 100;
/// How often the time of a shift may pass until it is given up for lack of requests.
const PATIENCE: u32 = 2;
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
        let (new, others) = (Measure::default(), Measure::default());
        let patience = course.over.saturating_mul(PATIENCE);
        Self { shares, pause, limits, patience, stage: 0, since: Duration::ZERO, new, others, before: None }
    }

    /// The share that the version is to have now.
    pub fn share(&self) -> f64 {
        self.shares.get(self.stage).copied().unwrap_or_default()
    }

    /// Which step this is, from 1, and of how many.
    pub fn step(&self) -> (usize, usize) {
        (self.stage + 1, self.shares.len())
    }

    /// When the present stage ends, if it can be judged by then.
    pub fn next(&self) -> Duration {
        self.since.saturating_add(self.pause)
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
        if let Some(lack) = self.lack() {
            return if now < self.patience { Verdict::Hold(lack) } else { Verdict::Inconclusive(lack) };
        }
        if self.stage + 1 == self.shares.len() {
            return Verdict::Done;
        }
        self.stage += 1;
        // One that is looked at late ends late; one that had to be held gives the next one its whole time.
        self.since = if now.saturating_sub(self.next()) < self.pause { self.next() } else { now };
        self.new = Measure::default();
        let others = std::mem::take(&mut self.others);
        if others.count >= ENOUGH {
            self.before = Some(others);
        }
        Verdict::Step(self.share())
    }

    /// What is missing to judge the version by each limit that there is.
    fn lack(&self) -> Option<Lack> {
        let needed = match self.limits {
            Limits { p99: Some(_), .. } => ENOUGH_TIMES,
            Limits { errors: Some(_), .. } => ENOUGH,
            Limits { errors: None, p99: None } => return None,
        };
        // Failures of the others that served too little count as none.
        let others = self.limits.p99.map(|_| self.compared().map_or(self.others.count, |others| others.count));
        let is_enough = self.new.count >= needed && others.is_none_or(|count| count >= needed);
        (!is_enough).then_some(Lack { new: self.new.count, others, needed })
    }

    /// The others' measure, where it says something.
    fn compared(&self) -> Option<&Measure> {
        if self.others.count >= ENOUGH { Some(&self.others) } else { self.before.as_ref() }
    }

    fn trouble(&self) -> Option<Reason> {
        let others = self.compared();
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

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { new, others, needed } = self;
        write!(f, "it takes {needed} requests to judge it by, and it served {new}")?;
        match others {
            Some(others) => write!(f, ", the others {others}"),
            None => Ok(()),
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
    fn a_stage_that_cannot_be_judged_is_held_and_then_given_up() {
        let limits = Limits { errors: Some(1.0), p99: Some(1.5) };
        let mut shift = Shift::new(course(0.0, 100.0, 50.0), limits);
        let at = |seconds| Duration::from_secs(seconds);
        let lack = |new, others| Lack { new, others: Some(others), needed: 100 };
        (0..99).for_each(|_| shift.observe(served(true, false, 5)));
        (0..150).for_each(|_| shift.observe(served(false, false, 5)));
        assert_eq!(shift.look(at(29)), Verdict::Stay);
        assert_eq!(shift.look(at(30)), Verdict::Hold(lack(99, 150)));
        assert_eq!(shift.look(at(80)), Verdict::Hold(lack(99, 150)));
        shift.observe(served(true, false, 5));
        assert_eq!(shift.look(at(81)), Verdict::Step(100.0));
        // The next has all of its time, and is compared with how the others were.
        assert_eq!(shift.look(at(110)), Verdict::Stay);
        shift.observe(served(true, false, 5));
        assert_eq!(shift.look(at(111)), Verdict::Hold(lack(1, 150)));
        let Verdict::Inconclusive(lack) = shift.look(at(120)) else { panic!("it is held for ever") };
        assert_eq!(lack.to_string(), "it takes 100 requests to judge it by, and it served 1, the others 150");

        let mut errors = Shift::new(course(0.0, 100.0, 100.0), Limits { errors: Some(1.0), p99: None });
        (0..19).for_each(|_| errors.observe(served(true, false, 5)));
        let Verdict::Hold(lack) = errors.look(MINUTE) else { panic!("it goes on") };
        assert_eq!(lack.to_string(), "it takes 20 requests to judge it by, and it served 19");
        errors.observe(served(true, false, 5));
        assert_eq!(errors.look(MINUTE), Verdict::Done);
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
        (0..20).for_each(|_| shift.observe(served(true, false, 5)));
        assert_eq!(shift.look(MINUTE / 2), Verdict::Step(100.0));
        (0..100).for_each(|place| shift.observe(served(true, place < 10, 5)));
        assert_eq!(shift.look(MINUTE / 2), Verdict::Stay);
        (0..100).for_each(|place| shift.observe(served(true, place < 20, 5)));
        let Verdict::Abort(reason) = shift.look(MINUTE) else { panic!("it goes on") };
        assert_eq!(reason.to_string(), "15.0 % of its requests failed, of the others' 10.0 %; 1 more are allowed");
    }
}

//! A service whose calls decide how many instances it has.
//!
//! While calls flow they are counted a few times in each period, and at its end it is decided. Where nothing flows nobody
//! looks: the first call says that it is there (`Effect::Alert`), and what is left to do is to go down at a time that is known.

use super::World;
use crate::model::Autoscale;
use crate::resilience::Scaler;
use crate::supervise::input::{Demand, Effect, Incarnation, Moment};
use crate::supervise::instance::Spot;
use crate::supervise::phase::Want;
use crate::supervise::status::{News, Note};

/// It is looked so often in a period.
const LOOKS: u32 = 10;

/// What is known of the calls of such a service.
#[derive(Debug, Clone)]
pub struct Load {
    /// How many instances it is to have.
    pub count: u32,
    /// Calls under way in the mean, when it was last decided.
    pub mean: Option<f64>,
    scaler: Scaler,
    look: Look,
    period: Period,
    /// Calls that had ever begun at the last look.
    begun: u64,
}

/// When it is looked next.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Look {
    At(Moment),
    UnderWay,
    /// When a call begins; or then.
    Asleep(Option<Moment>),
}

/// What was seen since it was last decided.
#[derive(Debug, Clone, Copy)]
struct Period {
    ends: Moment,
    under_way: u64,
    looks: u32,
    any: bool,
}

impl Period {
    fn until(ends: Moment) -> Self {
        Self { ends, under_way: 0, looks: 0, any: false }
    }

    fn mean(&self) -> f64 {
        #[allow(clippy::cast_precision_loss, reason = "a mean")]
        let under_way = self.under_way as f64;
        under_way / f64::from(self.looks.max(1))
    }
}

impl Load {
    /// It begins with as many as there are.
    fn new(now: Moment, spec: &Autoscale, current: usize) -> Self {
        let count = u32::try_from(current).unwrap_or(u32::MAX).clamp(spec.min, spec.max);
        let period = Period::until(now.after(spec.period));
        let look = Look::At(now.after(spec.period / LOOKS));
        Self { count, mean: None, scaler: Scaler::from(now.0, count), look, period, begun: 0 }
    }

    /// When it wants to be looked at.
    pub fn next(&self) -> Option<Moment> {
        match self.look {
            Look::At(at) => Some(at),
            Look::UnderWay => None,
            Look::Asleep(at) => at,
        }
    }

    /// Begins a look where it is time for one.
    pub(super) fn is_due(&mut self, now: Moment) -> bool {
        if self.next().is_none_or(|at| at > now) {
            return false;
        }
        if matches!(self.look, Look::Asleep(_)) {
            self.period = Period::until(now);
        }
        self.look = Look::UnderWay;
        true
    }

    /// Nobody can be called.
    pub(super) fn sleep(&mut self) {
        self.look = Look::Asleep(None);
    }

    /// Something begins: a call, or an instance that can be called.
    pub(super) fn wake(&mut self, now: Moment, spec: &Autoscale) {
        if let Look::Asleep(_) = self.look {
            self.period = Period::until(now.after(spec.period));
        }
        self.look = Look::At(now.after(spec.period / LOOKS));
    }

    /// Takes in what was seen, and says whether all of a period was.
    fn seen(&mut self, now: Moment, spec: &Autoscale, demand: Demand) -> Option<Period> {
        self.period.any |= demand.under_way > 0 || demand.begun != self.begun;
        self.begun = demand.begun;
        self.period.under_way += u64::from(demand.under_way);
        self.period.looks += 1;
        if now < self.period.ends {
            self.look = Look::At(now.after(spec.period / LOOKS).min(self.period.ends));
            return None;
        }
        Some(std::mem::replace(&mut self.period, Period::until(now.after(spec.period))))
    }
}

impl World {
    /// Begins to count where calls decide, before anybody asks how many there are to be.
    pub(super) fn begin_load(&mut self, now: Moment, service: usize) {
        let Some(spec) = &self.plan.services[service].autoscale else { return };
        let row = &mut self.rows[service];
        if row.want == Want::Up && row.load.is_none() {
            row.load = Some(Load::new(now, spec, row.phases().count()));
        }
    }

    /// Ends that with the service; the calls of other instances are counted anew.
    pub(super) fn watch_load(&mut self, now: Moment, service: usize, others: bool) {
        let row = &mut self.rows[service];
        let Some(spec) = &self.plan.services[service].autoscale else {
            row.load = None;
            return;
        };
        match &mut row.load {
            load if row.want != Want::Up => *load = None,
            None => {}
            Some(load) => {
                let count = load.count.clamp(spec.min, spec.max);
                match row.called.is_empty() {
                    _ if !others => {}
                    true => load.sleep(),
                    false => load.wake(now, spec),
                }
                if std::mem::replace(&mut load.count, count) != count {
                    self.touch(service);
                }
            }
        }
    }

    /// A call has begun to one that was not called.
    pub(super) fn called(&mut self, now: Moment, incarnation: Incarnation) {
        let Some(Spot { service, .. }) = self.find(incarnation) else { return };
        let (Some(load), Some(spec)) = (&mut self.rows[service].load, &self.plan.services[service].autoscale) else {
            return;
        };
        if let Look::Asleep(_) = load.look {
            load.wake(now, spec);
            self.touch(service);
        }
    }

    /// Decides, where a period is over.
    pub(super) fn weigh_calls(&mut self, now: Moment, spot: Spot, incarnation: Incarnation, demand: Demand) {
        let service = spot.service;
        let (Some(load), Some(spec)) = (&mut self.rows[service].load, &self.plan.services[service].autoscale) else {
            return;
        };
        if load.look != Look::UnderWay {
            return;
        }
        if let Some(period) = load.seen(now, spec, demand) {
            let mean = period.mean();
            let (from, to) = (load.count, load.scaler.decide(spec, now.0, load.count, mean));
            (load.count, load.mean) = (to, Some(mean));
            if from != to {
                let what = News::Scaled { from, to, mean, in_flight: spec.in_flight };
                self.notes.push(Note { at: now, service: Some(service), what });
            }
            load.look = if period.any {
                Look::At(now.after(spec.period / LOOKS))
            } else {
                self.effects.push(Effect::Alert { service, incarnation, begun: demand.begun });
                Look::Asleep(load.scaler.falls_at(spec).map(Moment).filter(|_| to > spec.min))
            };
        }
        self.touch(service);
    }
}

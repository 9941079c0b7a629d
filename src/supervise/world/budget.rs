//! Memory for all services: where they take more, lazy ones are stopped, those first that nobody called for longest.

use std::time::Duration;

use super::World;
use crate::model::Size;
use crate::supervise::input::{Effect, Incarnation, Moment, Weighed};
use crate::supervise::instance::Instance;
use crate::supervise::phase::{Phase, Want};
use crate::supervise::status::{News, Note, Reason};

/// As long after something was started, and between looks where there is no room left.
const SOON: Duration = Duration::from_secs(1);
/// Between looks where hardly anything of the budget is used.
const SELDOM: Duration = Duration::from_secs(20);

/// When memory is looked at, and what was told of it.
#[derive(Debug, Default)]
pub struct Budget {
    look: Look,
    /// It was told that there is too little and nothing to stop.
    is_told: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq)]
enum Look {
    /// Nothing runs, or there is no budget.
    #[default]
    Never,
    At(Moment),
    /// Since then; calls were counted as they were at that moment.
    UnderWay(Moment),
}

impl Budget {
    /// When it wants to be looked at.
    pub fn next(&self) -> Option<Moment> {
        match self.look {
            Look::At(at) => Some(at),
            Look::Never | Look::UnderWay(_) => None,
        }
    }
}

/// A lazy service that could be stopped.
struct Idle {
    service: usize,
    bytes: u64,
    last: u64,
}

impl World {
    /// Something was started: it will take some.
    pub(in crate::supervise) fn weigh_soon(&mut self, now: Moment) {
        let soon = now.after(SOON);
        if self.plan.budget.is_some() && !matches!(self.budget.look, Look::UnderWay(_)) {
            self.budget.look = Look::At(self.budget.next().map_or(soon, |at| at.min(soon)));
        }
    }

    /// Looks, where the time for it has come.
    pub(super) fn look_at_memory(&mut self, now: Moment) {
        if self.budget.next().is_none_or(|at| at > now) {
            return;
        }
        let is_wanted = self.plan.budget.is_some() && !self.is_quiet();
        self.budget.look = if is_wanted { Look::UnderWay(now) } else { Look::Never };
        if is_wanted {
            self.effects.push(Effect::Weigh);
        }
    }

    pub(super) fn weighed(&mut self, now: Moment, all: &[Weighed]) {
        let Look::UnderWay(looked) = std::mem::take(&mut self.budget.look) else { return };
        let Some(budget) = self.plan.budget else { return };
        let took = Size(all.iter().map(|it| it.bytes).sum());
        // What is on its way out makes room without anybody else having to go.
        let leaving: u64 = all.iter().filter(|it| self.is_on_its_way_out(it.incarnation)).map(|it| it.bytes).sum();
        let mut excess = took.0.saturating_sub(leaving).saturating_sub(budget.0);
        let mut stopped = false;
        if excess > 0 {
            for idle in self.idle(looked, all) {
                if excess == 0 {
                    break;
                }
                excess = excess.saturating_sub(idle.bytes);
                stopped = true;
                let what = News::Rested { frees: Size(idle.bytes), took, budget };
                self.notes.push(Note { at: now, service: Some(idle.service), what });
                self.rest(now, idle.service);
                self.rows[idle.service].rested = Some(Reason::OverBudget { took, budget });
            }
        }
        // Who has only just come may be idle at the next look.
        let is_over = excess > 0 && !self.is_anybody_new(looked);
        self.tell_of_budget(now, took, budget, is_over);
        let used = if stopped { 1.0 } else { share(took, budget) };
        self.budget.look = Look::At(now.after(SELDOM.mul_f64(1.0 - used).max(SOON)));
    }

    /// Whether a lazy service had only just come at a moment.
    fn is_anybody_new(&self, at: Moment) -> bool {
        let is_new = |service: usize| self.endpoints(service).next().is_some() && !self.has_served(service, at);
        (0..self.rows.len()).any(|service| self.plan.services[service].lazy && is_new(service))
    }

    /// Whether an instance had been there to be called for a while at a moment.
    fn has_served(&self, service: usize, at: Moment) -> bool {
        let since = |instance: &Instance| match &instance.phase {
            Phase::Up(up) if instance.serves() => up.ready_at,
            _ => None,
        };
        let mut served = self.rows[service].instances.iter().filter_map(since);
        served.any(|since| since.after(SOON) <= at)
    }

    fn is_on_its_way_out(&self, incarnation: Incarnation) -> bool {
        let phase = self.find(incarnation).map(|spot| &self.instance(spot).phase);
        phase.is_none_or(|phase| matches!(phase, Phase::Draining(_) | Phase::Stopping(_)))
    }

    /// Once when it begins, and once when it is over.
    fn tell_of_budget(&mut self, now: Moment, took: Size, budget: Size, is_over: bool) {
        let what = match (is_over, self.budget.is_told) {
            (true, false) => News::OverBudget { took, budget },
            (false, true) if took <= budget => News::WithinBudget { took, budget },
            _ => return,
        };
        self.budget.is_told = is_over;
        self.notes.push(Note { at: now, service: None, what });
    }

    /// Lazy services that run and answer nobody, those first that nobody called for longest. One that had only just come
    /// when this was looked up was woken by somebody whose call was not counted yet.
    fn idle(&self, looked: Moment, all: &[Weighed]) -> Vec<Idle> {
        let lives = |service: usize| {
            let of = move |incarnation: Incarnation| self.find(incarnation).is_some_and(|spot| spot.service == service);
            all.iter().filter(move |it| of(it.incarnation))
        };
        let is_lazy = |service: &usize| {
            let is_up = self.rows[*service].want == Want::Up && self.has_served(*service, looked);
            self.plan.services[*service].lazy && is_up && lives(*service).all(|it| it.demand.under_way == 0)
        };
        let idle = |service: usize| Idle {
            service,
            bytes: lives(service).map(|it| it.bytes).sum(),
            last: lives(service).map(|it| it.demand.last).max().unwrap_or(0),
        };
        let mut found: Vec<Idle> = (0..self.rows.len()).filter(is_lazy).map(idle).collect();
        found.sort_by_key(|idle| idle.last);
        found
    }
}

/// How much of the budget is used, at most 1.
fn share(took: Size, budget: Size) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "a share")]
    let share = took.0 as f64 / budget.0.max(1) as f64;
    share.min(1.0)
}

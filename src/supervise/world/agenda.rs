//! Services that run at their times, to their end.
//!
//! The wall's clock is outside: it is asked when the next time is, and again when that has come. What it says then
//! decides, so that a clock that is set, or a machine that slept, starts nothing too early and nothing that was missed.

use jiff::Timestamp;

use super::World;
use crate::supervise::input::{Effect, Hour, Moment, Ticket};
use crate::supervise::phase::{Phase, Want};

/// What is known of a schedule's next time.
#[derive(Debug, Clone, Copy)]
pub struct Agenda {
    ticket: Ticket,
    next: Option<Timestamp>,
    /// When to look at the clock; `None` while that is under way.
    pub look: Option<Moment>,
}

impl World {
    /// Whether a service runs only at its times.
    pub(in crate::supervise) fn is_scheduled(&self, service: usize) -> bool {
        self.plan.services[service].schedule.is_some()
    }

    /// When a service runs next by its schedule.
    pub(in crate::supervise) fn next_run(&self, service: usize) -> Option<Timestamp> {
        self.rows[service].agenda?.next
    }

    /// Begins and ends the looking at the clock, by whether the service is wanted.
    pub(super) fn keep_agenda(&mut self, service: usize) {
        let is_kept = self.is_scheduled(service) && self.rows[service].want == Want::Up;
        match (is_kept, &self.rows[service].agenda) {
            (true, None) => self.look(service, None),
            (false, Some(_)) => self.rows[service].agenda = None,
            _ => {}
        }
    }

    /// Looks, where the time for it has come.
    pub(super) fn look_at_clock(&mut self, now: Moment, service: usize) {
        let Some(agenda) = &mut self.rows[service].agenda else { return };
        if agenda.look.take_if(|look| *look <= now).is_some() {
            let due = agenda.next;
            self.look(service, due);
        }
    }

    fn look(&mut self, service: usize, due: Option<Timestamp>) {
        self.last_incarnation += 1;
        let ticket = Ticket(self.last_incarnation);
        self.rows[service].agenda = Some(Agenda { ticket, next: due, look: None });
        self.effects.push(Effect::Look { service, ticket, due });
    }

    pub(super) fn looked(&mut self, ticket: Ticket, hour: Hour) {
        let has = |agenda: &Option<Agenda>| agenda.is_some_and(|agenda| agenda.ticket == ticket);
        let Some(service) = self.rows.iter().position(|row| has(&row.agenda)) else { return };
        self.rows[service].agenda = Some(Agenda { ticket, next: hour.next, look: hour.look });
        if hour.is_due {
            self.run_once(service);
        }
        self.touch(service);
    }

    /// Runs a service of a schedule, unless it runs already.
    pub(super) fn run_once(&mut self, service: usize) {
        for instance in self.rows[service].instances.iter_mut().filter(|instance| instance.stays()) {
            if matches!(instance.phase, Phase::Rest(_)) {
                instance.streak = 0;
                instance.phase = Phase::Waiting;
            }
        }
        self.touch_neighbours(service);
    }
}

//! Containers whose images bring a check of their own: nothing here says when these are ready but that.

use super::World;
use crate::plan::Ready;
use crate::supervise::input::{Incarnation, Moment};
use crate::supervise::instance::Spot;
use crate::supervise::phase::{Health, Phase};

/// What is told until the check says anything.
pub(super) const NOT_JUDGED: &str = "its image's health check has not succeeded yet";

impl World {
    /// Its image has a check, whose word is waited for; this comes before its launch is told.
    pub(super) fn has_check(&mut self, incarnation: Incarnation) {
        let Some(spot) = self.find(incarnation) else { return };
        if let Phase::Launching { shown, .. } = &mut self.instance_mut(spot).phase {
            shown.has_check = true;
        }
    }

    /// Whether the word of its image's check is what makes it ready.
    pub(super) fn awaits_check(&self, spot: Spot) -> bool {
        let is_open = matches!(self.plan.services[spot.service].readiness, Ready::Started | Ready::Listening(_));
        is_open && matches!(&self.instance(spot).phase, Phase::Up(up) if up.shown.has_check)
    }

    /// That check has come to something else than before.
    pub(super) fn judged(&mut self, now: Moment, incarnation: Incarnation, verdict: Result<(), String>) {
        let Some(spot) = self.find(incarnation).filter(|spot| self.awaits_check(*spot)) else { return };
        let instance = self.instance_mut(spot);
        let Phase::Up(up) = &mut instance.phase else { return };
        if instance.is_unjudged || up.startup.is_some() {
            return;
        }
        match up.probing.take(verdict) {
            Ok(_) => self.become_ready(now, spot),
            Err(_) if up.health == Health::Ready => {
                up.health = Health::Unhealthy;
                self.touch_neighbours(spot.service);
            }
            Err(_) => self.touch(spot.service),
        }
    }
}

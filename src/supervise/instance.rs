//! One of the instances of a service, and what is to become of it.

use super::input::{Exit, Moment};
use super::phase::{Phase, Rest};
use super::status::State;

/// A running replica, or one that would run.
#[derive(Debug, Clone)]
pub struct Instance {
    /// Counts from 1 within its service; it is given again only when nothing of this one is left.
    pub number: u32,
    pub phase: Phase,
    pub standing: Standing,
    /// What its probes ask is of an earlier plan: it is probed no more.
    pub is_unjudged: bool,
    /// When it has reached its age.
    pub aged_at: Option<Moment>,
    /// Automatic restarts, all of them.
    pub restarts: u32,
    /// Automatic restarts since it was last up for long enough.
    pub streak: u32,
    /// When it has been up for long enough.
    pub stable_at: Option<Moment>,
    pub last_exit: Option<Exit>,
    /// A restart was asked for: the stop that is under way is no end.
    pub again: bool,
    /// The state that was last told as an event.
    pub told: Option<State>,
}

/// What is to become of an instance while its service is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It is one of those that are wanted.
    Kept,
    /// It serves until another is ready to take its place.
    Outdated,
    /// It goes, and is forgotten then.
    Leaving,
}

/// One instance by its place: of its service, and among the instances of that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spot {
    pub service: usize,
    pub at: usize,
}

impl Instance {
    /// An instance that was never started.
    pub fn new(number: u32) -> Self {
        Self {
            number,
            phase: Phase::Rest(Rest::New),
            standing: Standing::Kept,
            is_unjudged: false,
            aged_at: None,
            restarts: 0,
            streak: 0,
            stable_at: None,
            last_exit: None,
            again: false,
            told: None,
        }
    }

    /// Whether it is one of its service's own, and not on its way out.
    pub fn stays(&self) -> bool {
        self.standing != Standing::Leaving
    }

    /// When it wants to be looked at again.
    pub fn deadline(&self) -> Option<Moment> {
        let of_age = self.aged_at.into_iter().chain(self.stable_at).filter(|_| matches!(self.phase, Phase::Up(_)));
        self.phase.deadline().into_iter().chain(of_age).min()
    }

    /// Whether calls are to be sent to it.
    pub fn serves(&self) -> bool {
        self.stays() && self.phase.serves()
    }
}

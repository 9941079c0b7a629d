//! Published numbers that others have, and when they are tried again: nobody tells when one has become free.

use std::time::Duration;

use tokio::time::Instant;

use super::Publisher;
use super::listeners::{Deaf, Missing};
use crate::effects::ports;
use crate::supervise::World;

/// The first pause, after which each is twice as long.
const FIRST: Duration = Duration::from_millis(250);
/// The longest one.
const LONGEST: Duration = Duration::from_secs(5);

/// When it is tried again.
#[derive(Debug)]
pub struct Again {
    at: Instant,
    pause: Duration,
}

impl Default for Again {
    fn default() -> Self {
        Self { at: Instant::now() + FIRST, pause: FIRST }
    }
}

impl Publisher {
    /// The numbers that were chosen with `publish` and cannot be had, by number.
    pub fn missing(&self) -> Vec<Missing> {
        let mut all: Vec<Missing> = self.taken.values().filter(|missing| missing.is_chosen).cloned().collect();
        all.sort_by_key(|missing| missing.number);
        all
    }

    /// The addresses at which callers find nobody, as others have them.
    pub fn deaf(&self) -> &[Deaf] {
        &self.deaf
    }

    /// Whether there is any number that could not be had.
    pub fn lacks(&self) -> bool {
        !self.taken.is_empty() || !self.deaf.is_empty()
    }

    /// When to look whether numbers have become free: only those are waited for whose services are wanted.
    pub fn look_again_at(&self, world: &World) -> Option<Instant> {
        let waits = self.deaf.iter().any(|deaf| is_missed(deaf, world))
            || self.taken.values().any(|missing| is_wanted(missing, world));
        waits.then_some(self.again.at)
    }

    /// Whether one has become free. Who has it otherwise is not looked up every time, which is far more work.
    pub fn is_any_free(&mut self, world: &World) -> bool {
        let wanted = |missing: &&Missing| is_wanted(missing, world);
        let is_free = |deaf: &Deaf| ports::is_free_at((*deaf.at.ip()).into(), deaf.at.port());
        if self.deaf.iter().any(|deaf| is_missed(deaf, world) && is_free(deaf))
            || self.taken.values().filter(wanted).any(|missing| ports::is_free(missing.number))
        {
            return true;
        }
        let pause = (self.again.pause * 2).min(LONGEST);
        self.again = Again { at: Instant::now() + pause, pause };
        false
    }
}

fn is_wanted(missing: &Missing, world: &World) -> bool {
    let place = || world.plan().index(&missing.service);
    missing.is_waited_for() && place().is_some_and(|place| world.status(place).wanted)
}

/// Whether anybody calls there: the service itself, or for the front door anybody at all.
fn is_missed(deaf: &Deaf, world: &World) -> bool {
    let Some((from, _)) = &deaf.between else { return true };
    world.plan().index(from).is_some_and(|place| world.status(place).wanted)
}

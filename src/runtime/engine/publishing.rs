//! Numbers that services publish and others have: had as soon as they are free.

use super::Engine;
use crate::view::Event;

impl Engine {
    /// Looks whether numbers have become free, and has those.
    pub(super) fn publish_again(&mut self) {
        if !self.publisher.is_any_free(&self.world) {
            return;
        }
        let (before, deaf) = (self.publisher.missing(), self.publisher.deaf().to_vec());
        self.publisher.plan(&self.world);
        let after = self.publisher.missing();
        let is_had = |number: u16| after.iter().all(|missing| missing.number != number);
        for had in before.iter().filter(|missing| is_had(missing.number)) {
            let plan = self.world.plan();
            let name = plan.index(&had.service).map(|place| &plan.services[place].name);
            let text = format!("{} is published on port {} now", had.service, had.number);
            self.tell(Event::told("published", name, text, self.clock.wall(self.clock.now())));
        }
        for had in deaf.iter().filter(|it| self.publisher.deaf().iter().all(|still| still.at != it.at)) {
            let text = match &had.between {
                Some((from, to)) => format!("calls of {from} to {to} find a listener on {} now", had.at),
                None => format!("there is a listener on {} now", had.at),
            };
            self.tell(Event::told("published", None, text, self.clock.wall(self.clock.now())));
        }
        self.post_notices();
    }
}

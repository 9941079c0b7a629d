//! Signals that somebody asks for: SIGKILL is a stop without grace, and what follows from any other is the program's business.

use super::Engine;
use crate::model::Signal;
use crate::runtime::Problem;
use crate::supervise::{Command, Input, State};

impl Engine {
    /// Sends a signal to services, or to all that run; the names of those that it was for.
    pub(super) fn kill(&mut self, names: &[String], signal: Signal) -> Result<Vec<String>, Problem> {
        let places = match names {
            [] => (0..self.world.plan().services.len()).filter(|&place| self.is_hit(place, signal)).collect(),
            names => self.processes(self.places(names)?)?,
        };
        let name = |place: usize| self.world.plan().services[place].name.to_string();
        let hit = places.iter().map(|&place| name(place)).collect();
        if signal == Signal::KILL {
            self.step(Input::Asked(Command::Kill(places)));
            return Ok(hit);
        }
        if let Some(&resting) = places.iter().find(|&&place| !self.has_process(place)) {
            let message = format!("{} does not run, so nothing of it takes {signal}", name(resting));
            return Err(Problem::Nothing { message });
        }
        places.iter().for_each(|&place| self.host.signal_main(place, signal));
        Ok(hit)
    }

    /// Whether a signal to all is for a service. One that ends them is for those, too, that are on their way.
    fn is_hit(&self, place: usize, signal: Signal) -> bool {
        let is_coming = |state| matches!(state, State::Waiting | State::Setup | State::Starting | State::Backoff);
        let mut statuses = self.world.statuses(place);
        self.has_process(place) || signal == Signal::KILL && statuses.any(|status| is_coming(status.state))
    }

    fn has_process(&self, place: usize) -> bool {
        self.world.statuses(place).any(|status| status.pid.is_some())
    }
}

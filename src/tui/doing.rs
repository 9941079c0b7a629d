//! What a key has asked for a service: it stands at the foot until its row shows what came of it.

use super::app::{App, Ask};
use crate::supervise::State;

/// What was asked for a service.
#[derive(Debug)]
pub(super) struct Doing {
    service: String,
    /// What is said of it.
    words: String,
    before: Vec<Look>,
}

/// What tells a run of an instance from the one before it.
type Look = (u32, State, Option<u32>, Option<String>);

impl App {
    /// Asks something for the service that keys are about here, and says so: what comes of it may look like what was before.
    pub(super) fn about_service(&mut self, doing: &str, ask: impl Fn(String) -> Ask) -> Option<Ask> {
        let Some(service) = self.subject() else {
            self.message = Some("no service is selected here".to_owned());
            return None;
        };
        let words = format!("{doing} {service}…");
        self.message = Some(words.clone());
        self.doing = Some(Doing { before: self.look_of(&service), words, service: service.clone() });
        Some(ask(service))
    }

    /// Says it no longer once it is seen, unless something else is said meanwhile.
    pub(super) fn see_done(&mut self) {
        let is_under_way =
            |look: &Look| matches!(look.1, State::Waiting | State::Setup | State::Starting | State::Stopping);
        let is_done = |doing: &Doing| {
            let now = self.look_of(&doing.service);
            now != doing.before && !now.iter().any(is_under_way)
        };
        if !self.doing.as_ref().is_some_and(is_done) {
            return;
        }
        let words = self.doing.take().map(|doing| doing.words);
        self.message.take_if(|message| Some(&*message) == words.as_ref());
    }

    fn look_of(&self, service: &str) -> Vec<Look> {
        let rows = self.services.iter().filter(|row| row.name == service);
        rows.map(|row| (row.instance, row.state, row.pid, row.started.clone())).collect()
    }
}

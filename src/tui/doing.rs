//! What a key has asked for a service: it stands at the foot until its rows show what came of it.

use jiff::{SignedDuration, Timestamp};

use super::app::{App, Ask};
use crate::supervise::State;

/// So long at least it is said: what comes of it may look like what was before, as of a service that fails again.
const LEAST: SignedDuration = SignedDuration::from_secs(2);

/// What was asked for a service.
#[derive(Debug)]
pub(super) struct Doing {
    service: String,
    /// What is said of it.
    words: String,
    until: Timestamp,
}

impl App {
    /// Asks something for the service that keys are about here, and says so.
    pub(super) fn about_service(&mut self, doing: &str, ask: impl Fn(String) -> Ask) -> Option<Ask> {
        let Some(service) = self.subject() else {
            self.message = Some("no service is selected here".to_owned());
            return None;
        };
        let until = self.now.checked_add(LEAST).unwrap_or(self.now);
        let words = format!("{doing} {service}…");
        self.message = Some(words.clone());
        self.doing = Some(Doing { service: service.clone(), words, until });
        Some(ask(service))
    }

    /// Says it no longer once it is seen, unless something else is said meanwhile; when to look again, where time alone
    /// decides.
    pub(super) fn see_done(&mut self, now: Timestamp) -> Option<Timestamp> {
        let Doing { service, until, .. } = self.doing.as_ref()?;
        let is_under_way = |state| matches!(state, State::Waiting | State::Setup | State::Starting | State::Stopping);
        if self.services.iter().any(|row| row.name == *service && is_under_way(row.state)) {
            return None;
        }
        if now < *until {
            return Some(*until);
        }
        let words = self.doing.take().map(|doing| doing.words);
        self.message.take_if(|message| Some(&*message) == words.as_ref());
        None
    }
}

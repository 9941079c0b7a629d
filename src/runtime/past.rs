//! Why services could not be called in the past: what callers were refused for is told by `why` later on.

use std::collections::HashMap;
use std::sync::Arc;

use crate::route::Table;
use crate::supervise::{Moment, State};
use crate::view::Past;

/// What was in the way of calls, by service.
#[derive(Debug, Default)]
pub struct Pasts(HashMap<Arc<str>, Vec<(Past, Moment)>>);

impl Pasts {
    /// Until now a service could not be called in this state.
    pub fn was_absent(&mut self, service: &Arc<str>, state: State, now: Moment) {
        // It was asked to end, and what it was on the way there tells nobody more.
        let state = if state == State::Stopping { State::Stopped } else { state };
        self.note(service, Past::Absent(state), now);
    }

    /// Another table takes the place of one.
    pub fn replaced(&mut self, before: &Table, after: &Table, now: Moment) {
        let is_other_law = before.strict && (!after.strict || before.declared != after.declared);
        for upstream in before.upstreams.iter() {
            let Some(same) = after.upstream(&upstream.name) else { continue };
            if upstream.ports != same.ports {
                self.note(&upstream.name, Past::OtherPorts, now);
            }
            if is_other_law {
                self.note(&upstream.name, Past::Forbidden, now);
            }
        }
        self.0.retain(|name, _| after.index(name).is_some());
    }

    /// Each thing is noted once, by when it ended last.
    fn note(&mut self, service: &Arc<str>, past: Past, now: Moment) {
        let known = self.0.entry(service.clone()).or_default();
        known.retain(|(other, _)| *other != past);
        known.push((past, now));
    }

    /// What was in the way of calls to a service and ended after `since`; all that is known where it is not given.
    pub fn of(&self, service: &str, since: Option<Moment>) -> Vec<Past> {
        let known = self.0.get(service).into_iter().flatten();
        known.filter(|(_, until)| since.is_none_or(|since| *until > since)).map(|(past, _)| *past).collect()
    }
}
#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_past_is_known_once_and_since_a_moment() {
        let (mut pasts, ext) = (Pasts::default(), Arc::from("ext"));
        let at = |seconds| Moment(Duration::from_secs(seconds));
        pasts.was_absent(&ext, State::Stopping, at(1));
        pasts.was_absent(&ext, State::Failed, at(2));
        pasts.was_absent(&ext, State::Stopped, at(3));
        let (stopped, failed) = (Past::Absent(State::Stopped), Past::Absent(State::Failed));
        assert_eq!(pasts.of("ext", None), [failed, stopped]);
        assert_eq!(pasts.of("ext", Some(at(2))), [stopped]);
        assert_eq!(pasts.of("ext", Some(at(3))), []);
        assert_eq!(pasts.of("other", None), []);
        pasts.replaced(&Table::default(), &Table::default(), at(4));
        assert_eq!(pasts.of("ext", None), []);
    }
}

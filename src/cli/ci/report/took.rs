//! How long a service took: from its start to what became of it, by the events of a run.

use std::time::Duration;

use jiff::Timestamp;

use crate::supervise::State;
use crate::view::{Event, Service};

/// From the first start of an instance (its setup, where it had one to wait for) to its outcome: when it was ready, had
/// completed or had failed for good; to `at` where it has none. Nothing where it was never started.
pub fn took(row: &Service, events: &[Event], at: Timestamp) -> Duration {
    let is_its = |event: &&Event| {
        event.service.as_deref() == Some(&row.name) && event.instance.is_none_or(|number| number == row.instance)
    };
    let states = || events.iter().filter(is_its).filter_map(|event| Some((event.state?, event.time.parse().ok()?)));
    let begins = |(state, _): &(State, Timestamp)| matches!(state, State::Setup | State::Starting);
    let Some((_, begun)) = states().find(begins) else { return Duration::ZERO };
    let reached = |wanted: fn(State) -> bool| states().filter(|(_, at)| *at >= begun).find(|(state, _)| wanted(*state));
    let last = |wanted: State| states().rfind(|(state, _)| *state == wanted);
    let outcome = match row.state {
        State::Ready => reached(|state| state == State::Ready),
        State::Running if row.lasting => reached(|state| state == State::Running),
        State::Completed | State::Failed => last(row.state),
        // What was stopped had done its work before.
        State::Idle | State::Stopped => reached(|state| matches!(state, State::Ready | State::Completed)),
        _ => None,
    };
    let ended = outcome.map_or(at, |(_, at)| at);
    Duration::try_from(ended.duration_since(begun)).unwrap_or_default()
}

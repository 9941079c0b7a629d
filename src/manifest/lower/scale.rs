//! How many instances a service has, and whether two may be there at once.

use std::time::Duration;

use crate::manifest::problem::{Problem, Problems};
use crate::manifest::raw::{RawService, Replicas};
use crate::manifest::source::Span;
use crate::model::{Autoscale, MOST_REPLICAS, ServiceName, Strategy};

/// The shortest life of an instance that is meant.
const SHORTEST: Duration = Duration::from_secs(1);

/// What a service says of its instances.
pub struct Scale {
    pub replicas: u32,
    pub autoscale: Option<Autoscale>,
    pub stateful: bool,
    pub strategy: Option<Strategy>,
    pub idle_timeout: Option<Duration>,
    pub max_age: Option<Duration>,
}

/// Reads it; data that two instances would share contradicts both.
pub fn scale(name: &ServiceName, raw: &RawService, problems: &mut Problems) -> Scale {
    let range = raw.replicas.as_ref().filter(|replicas| replicas.value.0.max.is_some());
    rangeless(raw, problems);
    let autoscale = range.and_then(|it| autoscale(&it.value.0, it.span, problems));
    let count = raw.replicas.as_ref().and_then(|replicas| Some((replicas.value.0.min?, replicas.span)));
    let replicas = match count {
        Some((0, span)) => {
            let problem = Problem::error("no_replicas", "a service has at least one instance").at(span);
            problems.push(problem.hint(format!("leave it out of `up`, or run `nagaya stop {name}`")));
            1
        }
        Some((count, span)) if count > MOST_REPLICAS => {
            let message = format!("a service has at most {MOST_REPLICAS} instances");
            problems.push(Problem::error("many_replicas", message).at(span));
            1
        }
        Some((count, _)) => count,
        None => 1,
    };
    if let Some(range) = range.filter(|_| raw.ports.is_none()) {
        let message = format!("calls are to decide how many there are of `{name}`, and it has no ports");
        problems
            .push(Problem::error("scaled_without_ports", message).at(range.span).hint("add `ports`, or one number"));
    }
    let stateful = raw.stateful.as_ref().filter(|stateful| stateful.value);
    let strategy = raw.strategy.as_ref();
    if let Some(stateful) = stateful {
        let most = count.map(|(count, span)| (autoscale.map_or(count, |it| it.max), span));
        let most = most.or_else(|| range.and_then(|it| Some((autoscale?.max, it.span))));
        let several = most.filter(|(count, _)| *count > 1).map(|(_, span)| ("replicas", span));
        let rolling = strategy.filter(|word| word.value.0 == Strategy::Rolling).map(|word| ("strategy", word.span));
        for (key, span) in several.into_iter().chain(rolling) {
            let message = format!("`{name}` owns data, so there are never two of it, and `{key}` asks for that");
            let problem = Problem::error("stateful_twice", message).at(span).related(stateful.span, "it says so here");
            problems.push(problem.hint(format!("remove `{key}`, or `stateful`")));
        }
    }
    if let (Some(stateful), Some(age)) = (stateful, &raw.max_age) {
        let message = format!("`{name}` owns data, so it is not replaced for its age, and `max_age` does nothing");
        let problem = Problem::warning("stateful_max_age", message).at(age.span);
        let problem = problem.related(stateful.span, "it says so here");
        problems.push(problem.hint("remove `max_age`, or `stateful`"));
    }
    let is_lazy = raw.lazy.as_ref().is_some_and(|lazy| lazy.value);
    if let Some(idle) = raw.idle_timeout.as_ref().filter(|_| !is_lazy) {
        let message = format!("`{name}` would be stopped when nobody calls it, and no call would start it again");
        problems.push(Problem::error("idle_without_lazy", message).at(idle.span).hint("add `lazy: true`"));
    }
    for time in raw.idle_timeout.iter().chain(&raw.max_age).filter(|time| time.value < SHORTEST) {
        let message = "a service that lives so short does little else than start";
        problems.push(Problem::error("too_short", message).at(time.span).hint("`1s` is the least"));
    }
    Scale {
        replicas,
        autoscale,
        stateful: stateful.is_some(),
        strategy: strategy.map(|word| word.value.0),
        idle_timeout: raw.idle_timeout.as_ref().map(|time| time.value),
        // What owns data is not thrown away.
        max_age: raw.max_age.as_ref().map(|time| time.value).filter(|_| stateful.is_none()),
    }
}

/// What only matters for a range is not there without one.
fn rangeless(raw: &RawService, problems: &mut Problems) {
    let Some(Replicas { max: None, in_flight, period, stabilization_window, .. }) =
        raw.replicas.as_ref().map(|it| &it.value.0)
    else {
        return;
    };
    let in_flight = in_flight.as_ref().map(|it| ("in_flight", it.span));
    let times = [("period", period), ("stabilization_window", stabilization_window)];
    let times = times.into_iter().filter_map(|(key, time)| Some((key, time.as_ref()?.span)));
    for (key, span) in in_flight.into_iter().chain(times) {
        let message = format!("`{key}` is about scaling by calls, and there is no `max` up to which");
        problems.push(Problem::error("no_range", message).at(span).hint("add `max: …`, or remove it"));
    }
}

/// A range within which calls decide; nothing where it is none.
fn autoscale(raw: &Replicas, span: Span, problems: &mut Problems) -> Option<Autoscale> {
    let min = raw.min.unwrap_or(1);
    let max = raw.max.as_ref()?;
    if max.value > MOST_REPLICAS {
        let message = format!("a service has at most {MOST_REPLICAS} instances");
        problems.push(Problem::error("many_replicas", message).at(max.span));
        return None;
    }
    if max.value < min {
        let message = format!("at least {min} and at most {} is no range", max.value);
        problems.push(Problem::error("no_range", message).at(span).hint("`max` is the greater one"));
        return None;
    }
    if let Some(none) = raw.in_flight.as_ref().filter(|it| it.value == 0) {
        let problem = Problem::error("no_in_flight", "an instance that is to have no call under way is not needed");
        problems.push(problem.at(none.span).hint("`in_flight: 1` is the least"));
        return None;
    }
    if let Some(short) = raw.period.as_ref().filter(|it| it.value < SHORTEST) {
        let problem = Problem::error("too_short", "so few calls say nothing of how many instances they are worth");
        problems.push(problem.at(short.span).hint("`1s` is the least"));
        return None;
    }
    Some(Autoscale {
        min,
        max: max.value,
        in_flight: raw.in_flight.as_ref().map_or(Autoscale::IN_FLIGHT, |it| it.value),
        period: raw.period.as_ref().map_or(Autoscale::PERIOD, |it| it.value),
        window: raw.stabilization_window.as_ref().map_or(Autoscale::WINDOW, |it| it.value),
    })
}

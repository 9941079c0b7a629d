//! How many instances a service has, and whether two may be there at once.

use std::time::Duration;

use crate::manifest::problem::{Problem, Problems};
use crate::manifest::raw::RawService;
use crate::model::{MOST_REPLICAS, ServiceName, Strategy};

/// The shortest life of an instance that is meant.
const SHORTEST: Duration = Duration::from_secs(1);

/// What a service says of its instances.
pub struct Scale {
    pub replicas: u32,
    pub stateful: bool,
    pub strategy: Option<Strategy>,
    pub idle_timeout: Option<Duration>,
    pub max_age: Option<Duration>,
}

/// Reads it; data that two instances would share contradicts both.
pub fn scale(name: &ServiceName, raw: &RawService, problems: &mut Problems) -> Scale {
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
    let stateful = raw.stateful.as_ref().filter(|stateful| stateful.value);
    let strategy = raw.strategy.as_ref();
    if let Some(stateful) = stateful {
        let several = count.filter(|(count, _)| *count > 1).map(|(_, span)| ("replicas", span));
        let rolling = strategy.filter(|word| word.value.0 == Strategy::Rolling).map(|word| ("strategy", word.span));
        for (key, span) in several.into_iter().chain(rolling) {
            let message = format!("`{name}` owns data, so there are never two of it, and `{key}` asks for that");
            let problem = Problem::error("stateful_twice", message).at(span).related(stateful.span, "it says so here");
            problems.push(problem.hint(format!("remove `{key}`, or `stateful`")));
        }
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
        stateful: stateful.is_some(),
        strategy: strategy.map(|word| word.value.0),
        idle_timeout: raw.idle_timeout.as_ref().map(|time| time.value),
        // What owns data is not thrown away.
        max_age: raw.max_age.as_ref().map(|time| time.value).filter(|_| stateful.is_none()),
    }
}

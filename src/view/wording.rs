//! States and reasons in words.

use std::time::Duration;

use jiff::Timestamp;

use crate::model::ProbeKind;
use crate::plan::Plan;
use crate::supervise::{News, Reason, Scaling, State};

/// What becomes of what crashed.
pub const AGAIN: &str = "it is started again";

/// A mark that tells a state without colour.
pub fn state_mark(state: State) -> &'static str {
    match state {
        State::Ready | State::Running => "●",
        State::Starting | State::Setup => "◐",
        State::Waiting | State::Idle => "○",
        State::Backoff => "↻",
        State::Unhealthy => "▲",
        State::Stopping => "◌",
        State::Stopped => "·",
        State::Completed => "✓",
        State::Failed => "✗",
    }
}

/// A reason in one line.
pub fn reason(reason: &Reason, plan: &Plan) -> String {
    let name = |service: &usize| plan.services[*service].name.to_string();
    match reason {
        Reason::Scheduled => "it runs at its times".to_owned(),
        Reason::WaitsFor(services) => format!("waits for {}", listed(services.iter().map(name))),
        Reason::Blocked(service) => format!("blocked: {} will not come by itself", name(service)),
        Reason::SetupRuns(setup) => format!("runs `{}`", plan.setups[*setup].command),
        Reason::SetupFailed(error) => format!("setup failed: {error}"),
        Reason::Elsewhere(service) => {
            plan.services[*service].external().map_or_else(String::new, |external| format!("lives at {external}"))
        }
        Reason::NotReady(ProbeKind::Startup, error) => format!("it has not started: {error}"),
        Reason::NotReady(_, error) => error.clone(),
        Reason::ProbeFailed(kind, error) => format!("its {} probe failed, so it is ended: {error}", kind.word()),
        Reason::ProbeFails(kind, error, failures, most) => {
            format!("its {} probe failed, {failures} of {most} times: {error}", kind.word())
        }
        Reason::Away(remote) => format!("calls to it go to {remote}"),
        Reason::Daemonized => "running in the background (its main process ended)".to_owned(),
        Reason::Exited(exit) => exit.to_string(),
        Reason::GaveUp(exit, 0) => exit.to_string(),
        Reason::GaveUp(exit, restarts) => format!("gave up after {restarts} restarts: {exit}"),
        Reason::Retries(exit, 0 | 1) => format!("{exit}; {AGAIN}"),
        Reason::Retries(exit, crashes) => format!("{exit}, {crashes} times in a row; {AGAIN}"),
        Reason::KilledHard => "did not stop in time and was killed".to_owned(),
        Reason::NotRebuilt(error) => format!("the old version serves, as the rebuild failed: {error}"),
        Reason::Drains => "answers what it was asked, and gets no more".to_owned(),
        Reason::OverBudget { took, budget } => {
            format!("stopped until it is called: the services took {took}, and the budget is {budget}")
        }
        Reason::ServesUntil(next, state, why) => {
            let why = why.as_ref().map(|why| format!(": {}", self::reason(why, plan))).unwrap_or_default();
            format!("serves until #{next} is ready, which {}{why}", state.said())
        }
    }
}

/// What the world tells besides states: the word of the event, and its message.
pub fn news(news: &News) -> (&'static str, String) {
    match news {
        News::Scaled { from, to, mean, in_flight } => {
            let calls = format!("{mean:.1} calls were under way in the mean, and one instance is to have {in_flight}");
            ("scaled", format!("from {from} to {to}: {calls}"))
        }
        News::Rested { frees, took, budget } => {
            ("budget", format!("stopped, which frees {frees}: the services take {took}, and the budget is {budget}"))
        }
        News::OverBudget { took, budget } => {
            ("budget", format!("the services take {took} of memory, the budget is {budget}, and no lazy one is idle"))
        }
        News::WithinBudget { took, budget } => {
            ("budget", format!("the services take {took} of memory, and the budget is {budget} again"))
        }
    }
}

/// How many instances calls are worth, in a line.
pub fn scaling(scaling: &Scaling) -> String {
    let Scaling { count, spec, mean } = scaling;
    let calls = mean.map(|mean| format!(", {mean:.1} calls under way in the mean")).unwrap_or_default();
    format!("scaled by its calls: {count} of {} to {}{calls} ({} for each)", spec.min, spec.max, spec.in_flight)
}

/// `a`, `a and b`, `a, b and 3 more`.
pub fn listed(names: impl ExactSizeIterator<Item = String>) -> String {
    let names: Vec<String> = names.collect();
    match names.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [head @ .., last] if names.len() <= 4 => format!("{} and {last}", head.join(", ")),
        [a, b, c, rest @ ..] => format!("{a}, {b}, {c} and {} more", rest.len()),
        _ => names.join(", "),
    }
}

/// A duration as people say it: `12ms`, `1.4s`, `3m`, `2h`, `5d`.
pub fn elapsed(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{}ms", duration.as_millis()),
        1..=9 => format!("{:.1}s", duration.as_secs_f64()),
        10..=119 => format!("{seconds}s"),
        120..=7199 => format!("{}m", seconds / 60),
        7200..=172_799 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86400),
    }
}

/// How long ago a time was, in RFC 3339; nothing for what is no time, or is still to come.
pub fn age(time: &str, now: Timestamp) -> Option<String> {
    let since = now.duration_since(time.parse().ok()?);
    Duration::try_from(since).ok().map(elapsed)
}

/// What a log lacks, in words; nothing where it lacks nothing.
pub fn lost_lines(count: u64) -> Option<String> {
    let lines = if count == 1 { "line was" } else { "lines were" };
    (count > 0).then(|| format!("{count} {lines} lost: the log could not be written"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_read_as_sentences() {
        let list = |count: usize| listed((0..count).map(|n| format!("s{n}")).collect::<Vec<_>>().into_iter());
        assert_eq!(list(1), "s0");
        assert_eq!(list(2), "s0 and s1");
        assert_eq!(list(4), "s0, s1, s2 and s3");
        assert_eq!(list(9), "s0, s1, s2 and 6 more");
    }

    #[test]
    fn durations_are_short() {
        let cases = [(0.012, "12ms"), (1.42, "1.4s"), (65.0, "65s"), (240.0, "4m"), (8000.0, "2h"), (2e5, "2d")];
        for (seconds, text) in cases {
            assert_eq!(elapsed(Duration::from_secs_f64(seconds)), text);
        }
        let now = "2026-11-21T12:00:00Z".parse().unwrap();
        let cases = [("2026-11-21T11:56:00.5Z", Some("3m")), ("2026-11-21T12:00:01Z", None), ("yesterday", None)];
        for (time, text) in cases {
            assert_eq!(age(time, now).as_deref(), text, "{time}");
        }
    }
}

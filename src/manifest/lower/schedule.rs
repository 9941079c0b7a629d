//! `schedule`: a service that runs at its times, to its end, and what contradicts that.

use crate::manifest::problem::{Problem, Problems};
use crate::manifest::raw::RawService;
use crate::manifest::read::{At, OrBrief};
use crate::model::{BadSchedule, RestartPolicy, Schedule, ServiceName};

/// Reads it.
pub fn lower_schedule(name: &ServiceName, raw: &RawService, problems: &mut Problems) -> Option<Schedule> {
    let At { value: OrBrief(record), span } = raw.schedule.as_ref()?;
    let Some(cron) = &record.cron else {
        problems.push(Problem::error("missing_key", "a schedule needs `cron`").at(*span));
        return None;
    };
    let always =
        raw.restart.as_ref().filter(|it| it.value.0.policy.is_some_and(|word| word.policy == RestartPolicy::Always));
    let several = raw.replicas.as_ref().filter(|replicas| replicas.value.0.min.is_some_and(|count| count > 1));
    let contradictions = [
        ("restart: always", always.map(|it| it.span)),
        ("lazy", raw.lazy.as_ref().filter(|it| it.value).map(|it| it.span)),
        ("replicas", several.map(|it| it.span)),
        ("ports", raw.ports.as_ref().and_then(|ports| ports.0.first()).map(|port| port.span)),
    ];
    for (key, at) in contradictions.into_iter().filter_map(|(key, at)| Some((key, at?))) {
        let message = format!("`{name}` runs at its times and to its end, one at once, which contradicts `{key}`");
        let problem = Problem::error("schedule_contradiction", message).at(at).related(*span, "its times");
        problems.push(problem.hint(format!("remove `{key}`, or `schedule`")));
    }
    let zone = record.timezone.as_ref().or(record.timeZone.as_ref());
    let bad = match Schedule::parse(&cron.value, zone.map(|zone| zone.value.as_str())) {
        Ok(schedule) => return Some(schedule),
        Err(bad) => bad,
    };
    let (at, hint) = match &bad {
        BadSchedule::Zone(_) => {
            (zone.map_or(cron.span, |zone| zone.span), "names are those of the tz database: `Europe/Berlin`")
        }
        _ => (cron.span, "minute, hour, day of the month, month, day of the week: `30 2 * * MON`"),
    };
    problems.push(Problem::error("bad_schedule", bad.to_string()).at(at).hint(hint));
    None
}

//! `nagaya shift`: how the requests to a service are shared among its versions, at once or over time.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::args::{Global, duration};
use super::dtab::author;
use super::error::Error;
use super::locate::connect;
use super::output::{Output, dim, paint};
use crate::api::{CallError, Client, Put};
use crate::dtab::Dtab;
use crate::resilience::{Course, Limits};
use crate::route::history::{Record, Refused};
use crate::route::shares::{self, Shares};
use crate::runtime::{Problem, ShiftRequest};
use crate::supervise::State;
use crate::view::{Service, Shift as Row, ShiftState};

#[derive(Debug, Args)]
pub struct Shift {
    /// The service
    #[arg(required_unless_present = "status")]
    pub service: Option<String>,
    /// Shares in percent; the others have the rest
    #[arg(value_name = "VERSION=PERCENT", value_parser = share)]
    pub shares: Vec<(String, f64)>,
    /// Get there by steps, and watch how the version does
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub over: Option<Duration>,
    /// The most that a step adds, in percent
    #[arg(long, value_name = "PERCENT", value_parser = step, default_value = "10", requires = "over")]
    pub step: f64,
    /// Send all back when so much more of its requests fail than of the others'
    #[arg(long, value_name = "PERCENT", value_parser = percent, requires = "over")]
    pub abort_errors: Option<f64>,
    /// Send all back when its p99 is so many times the others'
    #[arg(long, value_name = "FACTOR", value_parser = factor, requires = "over")]
    pub abort_p99: Option<f64>,
    /// Have a version take requests that is not ready
    #[arg(long, conflicts_with = "over")]
    pub force: bool,
    /// Return when it has begun
    #[arg(short, long, requires = "over")]
    pub detach: bool,
    /// Break off what is under way, and send all back
    #[arg(long, conflicts_with_all = ["shares", "over", "status"])]
    pub abort: bool,
    /// How the requests are shared now; without a service, those to all that have versions
    #[arg(long, conflicts_with_all = ["shares", "over"])]
    pub status: bool,
}

fn share(text: &str) -> Result<(String, f64), String> {
    let (version, share) = text.split_once('=').ok_or("it is written VERSION=PERCENT: v2=10")?;
    Ok((version.to_owned(), percent(share)?))
}

pub(super) fn percent(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').unwrap_or(text).trim().parse::<f64>().ok();
    number.filter(|it| (0.0..=100.0).contains(it)).ok_or_else(|| "a share is a number from 0 to 100".to_owned())
}

fn step(text: &str) -> Result<f64, String> {
    percent(text).ok().filter(|it| *it > 0.0).ok_or_else(|| "a step is more than 0 and at most 100".to_owned())
}

/// Below 1, a version would have to be faster than the others to be spared.
fn factor(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('x').unwrap_or(text).parse::<f64>().ok();
    number
        .filter(|it| it.is_finite() && *it >= 1.0)
        .ok_or_else(|| "a factor is a number from 1 on, like 1.5x".to_owned())
}

/// The shares by the names of their versions, each of which has one.
fn all_named(rows: &[Service], service: &str, shares: &[(String, f64)]) -> Result<Shares, Error> {
    let mut all = Shares::new();
    for (version, share) in shares {
        let name = named(rows, service, version)?;
        if all.iter().any(|(known, _)| *known == name) {
            return Err(Error::usage(format!("{name} is given two shares")).hint("give each version one"));
        }
        all.push((name, *share));
    }
    Ok(all)
}

/// Tells, breaks off, or shifts.
pub async fn run(global: &Global, args: Shift, output: &Output) -> Result<ExitCode, Error> {
    let (client, _) = connect(global, output)?;
    let rows = client.services().await?;
    let Some(service) = &args.service else { return status_of_all(&client, &rows, output).await };
    let Some(first) = rows.iter().find(|row| row.name == *service && row.service == *service) else {
        return Err(Error::no_service(service, rows.iter().map(|row| row.service.as_str())));
    };
    let first = first.version.as_deref();
    if args.abort {
        client.abort_shift(service).await?;
        return follow(&client, service, true, output).await;
    }
    if args.status {
        return status(&client, service, first, output).await;
    }
    let named = all_named(&rows, service, &args.shares)?;
    match (args.over, named.as_slice()) {
        (_, []) => Err(Error::usage("which version is to have which share?").hint("`nagaya shift users v2=10`")),
        (None, named) => {
            let unfit = if args.force { Vec::new() } else { unfit(&rows, service) };
            at_once(&client, (service, first), named, &unfit, output).await
        }
        (Some(over), [(to, share)]) => {
            let course = Course { from: 0.0, to: *share, step: args.step, over };
            let limits = Limits { errors: args.abort_errors, p99: args.abort_p99 };
            let request = ShiftRequest {
                service: service.clone(),
                to: to.clone(),
                course,
                limits,
                who: author(&format!("shift {service} to {to}")),
            };
            let begun = client.begin_shift(&request).await?;
            if !args.detach {
                return follow(&client, service, false, output).await;
            }
            if output.json {
                output.json(&begun);
            } else {
                output.say(&format!("{}; `nagaya shift {service} --status` tells how it goes", line(&begun)));
            }
            Ok(ExitCode::SUCCESS)
        }
        (Some(_), _) => Err(Error::usage("over time, requests are shifted to one version").hint("name that one alone")),
    }
}

/// A version by its name as a service; it may be given by that, or by what it is called in the manifest.
pub(super) fn named(rows: &[Service], service: &str, version: &str) -> Result<String, Error> {
    let versions = rows.iter().filter(|row| row.service == service);
    let found = versions.clone().find(|row| row.version.as_deref() == Some(version) || row.name == version);
    found.map(|row| row.name.clone()).ok_or_else(|| {
        let word = |row: &Service| row.version.clone().unwrap_or_else(|| row.name.clone());
        let mut all: Vec<String> = versions.map(word).collect();
        // Instances of one stand together.
        all.dedup();
        match all.as_slice() {
            [_] | [] => Error::usage(format!("{service} has no versions")).hint(HOW_VERSIONS_COME),
            all => Error::usage(format!("{service} has no version `{version}`"))
                .hint(format!("there are {}", all.join(", "))),
        }
    })
}

/// What helps where there are none.
const HOW_VERSIONS_COME: &str =
    "`versions:` in the manifest declares them, and `nagaya try SERVICE --branch B` boots one beside what runs";

/// Others may change the routes meanwhile; their changes are not lost.
const TRIES: usize = 5;

/// The versions that can take no requests now.
fn unfit(rows: &[Service], service: &str) -> Vec<Unfit> {
    let versions = rows.iter().filter(|row| row.service == service);
    let can = |row: &&Service| matches!(row.state, State::Ready | State::Running | State::Idle);
    let fit: Vec<&str> = versions.clone().filter(can).map(|row| row.name.as_str()).collect();
    let unfit = versions.filter(|row| !fit.contains(&row.name.as_str()));
    let why = |row: &Service| row.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let unfit = unfit.map(|row| Unfit { name: row.name.clone(), state: row.state, why: why(row) });
    unfit.collect()
}

/// A version that can take no requests, and why.
struct Unfit {
    name: String,
    state: State,
    why: String,
}

impl Unfit {
    fn helps(&self) -> String {
        let name = &self.name;
        match self.state {
            State::Waiting | State::Setup | State::Starting | State::Backoff => {
                format!("`nagaya wait {name}` returns when it is ready")
            }
            State::Stopped | State::Completed => format!("`nagaya start {name}` starts it"),
            _ => format!("`nagaya why {name}` tells more"),
        }
    }
}

/// Nobody is given more requests than before who cannot take them.
fn check(service: &str, now: &Shares, then: &Shares, unfit: &[Unfit]) -> Result<(), Error> {
    let of = |shares: &Shares, name: &str| shares.iter().find(|(known, _)| known == name).map_or(0.0, |(_, it)| *it);
    let Some(unfit) = unfit.iter().find(|it| of(then, &it.name) > of(now, &it.name)) else { return Ok(()) };
    let Unfit { name, state, why } = unfit;
    Err(Error::failed(format!("{name} cannot take requests: it {}{why}", state.said()))
        .hint(format!("the requests to {service} are shared as before; {}", unfit.helps()))
        .hint("`--force` gives it its share all the same"))
}

async fn at_once(
    client: &Client,
    (service, first): (&str, Option<&str>),
    named: &[(String, f64)],
    unfit: &[Unfit],
    output: &Output,
) -> Result<ExitCode, Error> {
    for attempt in 1.. {
        let routes = client.routes().await?;
        let dtab: Dtab =
            routes.dtab.parse().map_err(|error| Error::failed(format!("the routes cannot be read: {error}")))?;
        let now = shares::current(&dtab, service, first);
        let shares = shares::settle(&now, named, service).map_err(|error| {
            Error::usage(error.to_string()).hint("shares are in percent; versions that are not named have the rest")
        })?;
        check(service, &now, &shares, unfit)?;
        let dtab = shares::with(&dtab, service, Some(shares::tree(&shares)));
        let who = author(&format!("shift {service}"));
        let put = Put { dtab: dtab.to_string(), if_version: Some(routes.version), who };
        match client.put_routes(&put).await {
            Err(CallError::Refused(Problem::Routes(Refused::Changed { .. }))) if attempt < TRIES => {}
            Err(error) => return Err(error.into()),
            Ok(_) => {
                tell(service, &shares, output);
                break;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn tell(service: &str, shares: &Shares, output: &Output) {
    if output.json {
        let shares: serde_json::Map<_, _> =
            shares.iter().map(|(name, share)| (name.clone(), (*share).into())).collect();
        output.json(&serde_json::json!({ "service": service, "shares": shares }));
    } else {
        let shares: Vec<String> = shares.iter().map(|(name, share)| format!("{} % to {name}", short(*share))).collect();
        output.line(&format!("requests to {service}: {}", shares.join(", ")));
    }
}

async fn status(client: &Client, service: &str, first: Option<&str>, output: &Output) -> Result<ExitCode, Error> {
    let shifts = client.shifts().await?;
    let shift = shifts.into_iter().find(|shift| shift.service == service);
    if output.json {
        output.json(&shift);
        return Ok(ExitCode::SUCCESS);
    }
    let dtab: Dtab = client.routes().await?.dtab.parse().unwrap_or_default();
    let shares = shares::current(&dtab, service, first);
    tell(service, &shares, output);
    shift.iter().for_each(|shift| output.line(&format!("  {}", dim(&line(shift)))));
    if shift.is_none() && shares.len() > 1 {
        let left = left_behind(&client.routes_history().await?, &dtab, service);
        left.iter().for_each(|left| output.line(&format!("  {}", dim(left))));
    }
    Ok(ExitCode::SUCCESS)
}

/// Shares are as a shift left them of which the engine knows nothing: it was an earlier one's.
fn left_behind(history: &[Record], now: &Dtab, service: &str) -> Option<String> {
    let entry = shares::entry(now, service)?;
    let has_it = |record: &&Record| {
        let dtab: Option<Dtab> = record.dtab.as_ref().and_then(|dtab| dtab.parse().ok());
        dtab.is_some_and(|dtab| shares::entry(&dtab, service) == Some(entry))
    };
    let by = history.iter().rev().take_while(has_it).last()?;
    let (_, to) = by.who.strip_suffix(')')?.rsplit_once(&format!("(shift {service} to "))?;
    Some(format!(
        "as a shift to {to} left it, of which this engine knows no more: nobody looks after it now; \
         `nagaya shift {service} {to}=0` sends all back"
    ))
}

/// The shares of each service that has versions, with its shift.
async fn status_of_all(client: &Client, rows: &[Service], output: &Output) -> Result<ExitCode, Error> {
    let shifts = client.shifts().await?;
    if output.json {
        output.json(&shifts);
        return Ok(ExitCode::SUCCESS);
    }
    let others = rows.iter().filter(|row| row.name != row.service);
    let has_others: BTreeSet<&str> = others.map(|row| row.service.as_str()).collect();
    // Instances come and go, and their numbers with them: whichever there is tells the version.
    let mut seen = BTreeSet::new();
    let firsts = rows.iter().filter(|row| has_others.contains(row.name.as_str()) && seen.insert(row.name.as_str()));
    let dtab: Dtab = client.routes().await?.dtab.parse().unwrap_or_default();
    if has_others.is_empty() {
        output.say(&format!("no service has versions; {HOW_VERSIONS_COME}"));
    }
    for Service { name, version, .. } in firsts {
        tell(name, &shares::current(&dtab, name, version.as_deref()), output);
        shifts
            .iter()
            .filter(|shift| shift.service == *name)
            .for_each(|it| output.line(&format!("  {}", dim(&line(it)))));
    }
    Ok(ExitCode::SUCCESS)
}

/// Tells each step until the end. One that was `asked` to be broken off comes to a good end by that.
async fn follow(client: &Client, service: &str, asked: bool, output: &Output) -> Result<ExitCode, Error> {
    let mut stream = client.events("/v1/shifts/stream").await?;
    let mut before = None;
    while let Some(all) = stream.next::<Vec<Row>>().await {
        let Some(shift) = all.into_iter().find(|shift| shift.service == service) else { continue };
        // What a step waits for becomes less with each request.
        let shown = Row { held: shift.held.as_ref().map(|_| String::new()), ..shift.clone() };
        if before.as_ref() == Some(&shown) {
            continue;
        }
        if output.json {
            output.json_line(&shift);
        } else {
            output.say(&line(&shift));
        }
        match shift.state {
            ShiftState::Shifting => before = Some(shown),
            ShiftState::Done => return Ok(ExitCode::SUCCESS),
            ShiftState::Aborted if asked => return Ok(ExitCode::SUCCESS),
            // It has still to be sent back.
            ShiftState::Inconclusive if asked => before = Some(shown),
            ShiftState::Inconclusive => {
                let to = &shift.to;
                let on = format!("`nagaya shift {service} {to}=100` gives it all without that");
                let hint = format!("{on}, `nagaya shift {service} --abort` sends all back; or have more requests made");
                output.say(&format!("{}: {hint}", paint("hint", anstyle::AnsiColor::Cyan)));
                return Err(Error::silent(super::error::Code::Failed));
            }
            ShiftState::Aborted | ShiftState::Stopped => return Err(Error::silent(super::error::Code::Failed)),
        }
    }
    Err(CallError::Broken("the engine ended".to_owned()).into())
}

fn line(shift: &Row) -> String {
    let Row { service, to, share, step, steps, state, reason, held, overtaken } = shift;
    let why = reason.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    if let Some(who) = overtaken {
        let ended = match state {
            ShiftState::Done => format!("{} % of the requests to {service} went to {to}", short(*share)),
            _ => format!("a shift to {to} has ended{why}"),
        };
        return format!("before: {ended}; since then {who}");
    }
    match state {
        ShiftState::Shifting => {
            let held = held.as_ref().map(|why| format!(", held: {why}")).unwrap_or_default();
            format!("{} % of the requests to {service} go to {to} (step {step} of {steps}{held})", short(*share))
        }
        ShiftState::Inconclusive => {
            format!("inconclusive: the shift to {to} has stopped at {} %{why}", short(*share))
        }
        ShiftState::Done => format!("{} % of the requests to {service} go to {to}: done", short(*share)),
        ShiftState::Aborted => format!("all requests to {service} go to its other versions again{why}"),
        ShiftState::Stopped => format!("the shift to {to} has stopped{why}"),
    }
}

pub(super) fn short(share: f64) -> String {
    let rounded = (share * 1e3).round() / 1e3;
    rounded.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_is_no_step_and_no_factor() {
        for (text, good) in [("10", true), ("0.1%", true), ("100", true), ("0", false), ("-1", false), ("x", false)] {
            assert_eq!(step(text).is_ok(), good, "{text}");
        }
        for (text, good) in [("1.5x", true), ("1", true), ("0.5x", false), ("0", false), ("inf", false), ("NaN", false)]
        {
            assert_eq!(factor(text).is_ok(), good, "{text}");
        }
    }
}

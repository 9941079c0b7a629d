//! `readiness`, `startup` and `liveness`: exactly one check each, against a port that exists.

use std::time::Duration;

use crate::manifest::problem::{Problem, Problems};
use crate::manifest::raw::{ExecCheck, GrpcCheck, HttpCheck, PortRef, Probe as RawProbe, TcpCheck};
use crate::manifest::read::{At, OrBrief, Seconds, not_built};
use crate::manifest::source::Span;
use crate::model::{Check, Liveness, Port, Probe, Protocol, Readiness, Rhythm, ServicePort, Sign, Startup};

use super::service::{lower_command, unknown_port};

/// What `readiness` means, or what holds where it is not written.
pub fn lower_readiness(raw: Option<&At<OrBrief<RawProbe>>>, ports: &[Port], problems: &mut Problems) -> Readiness {
    let default = if ports.is_empty() { Readiness::Started } else { Readiness::Listening };
    let Some(raw) = raw else { return default };
    let Some(sign) = sign(raw, ports, problems) else { return default };
    let rhythm = rhythm(&raw.value.0, Rhythm::OF_READINESS, problems);
    match sign {
        Sign::Probe(check) => Readiness::Probe(Probe { check, rhythm }),
        Sign::Log(pattern) => Readiness::Log(pattern),
        Sign::Notify => Readiness::Notify,
    }
}

/// A startup probe is tried at least this often: whoever gives a program much time does not want to wait longer for it
/// than it takes.
const STARTUP_PERIOD: Duration = Duration::from_secs(2);

/// What `startup` means.
pub fn lower_startup(raw: Option<&At<OrBrief<RawProbe>>>, ports: &[Port], problems: &mut Problems) -> Option<Startup> {
    let raw = raw?;
    let sign = sign(raw, ports, problems)?;
    one_success("startup", raw, problems);
    let rhythm = rhythm(&raw.value.0, Rhythm::OF_OTHERS, problems);
    let often = Rhythm { period: rhythm.period.min(STARTUP_PERIOD), ..rhythm };
    let startup = Startup { sign, limit: rhythm.limit() };
    Some(startup.map(|check| Probe { check: check.clone(), rhythm: often }))
}

/// What `liveness` means.
pub fn lower_liveness(
    raw: Option<&At<OrBrief<RawProbe>>>,
    ports: &[Port],
    problems: &mut Problems,
) -> Option<Liveness> {
    let raw = raw?;
    let sign = sign(raw, ports, problems)?;
    one_success("liveness", raw, problems);
    let rhythm = rhythm(&raw.value.0, Rhythm::OF_OTHERS, problems);
    match sign {
        Sign::Probe(check) => Some(Liveness::Probe(Probe { check, rhythm })),
        Sign::Notify => Some(Liveness::Watchdog(rhythm.limit())),
        Sign::Log(_) => {
            let message = "a line of the log tells that something was, not that the program lives";
            let hint = "use `http`, `tcp`, `grpc`, `exec`, or `notify: true` for a program that says WATCHDOG=1";
            problems.push(Problem::error("log_liveness", message).at(raw.span).hint(hint));
            None
        }
    }
}

/// As in Kubernetes, one success is enough to have started, and to live.
fn one_success(key: &str, raw: &At<OrBrief<RawProbe>>, problems: &mut Problems) {
    let OrBrief(probe) = &raw.value;
    let written = probe.success_threshold.as_ref().or(probe.successThreshold.as_ref());
    if let Some(At { value: 2.., span }) = written {
        let message = format!("the success threshold of a {key} probe is 1");
        problems.push(Problem::error("bad_threshold", message).at(*span));
    }
}

/// What a probe looks for.
fn sign(
    At { value: OrBrief(raw), span }: &At<OrBrief<RawProbe>>,
    ports: &[Port],
    problems: &mut Problems,
) -> Option<Sign<Check>> {
    let mut checks = Vec::new();
    let http = raw.http.as_ref().or(raw.httpGet.as_ref());
    checks.extend(http.map(|OrBrief(check)| http_check(check, ports, *span, problems)));
    let tcp = raw.tcp.as_ref().or(raw.tcpSocket.as_ref());
    checks.extend(tcp.map(|OrBrief(check)| tcp_check(check, ports, *span, problems)));
    checks.extend(raw.grpc.as_ref().map(|OrBrief(check)| grpc_check(check, ports, *span, problems)));
    checks.extend(raw.exec.as_ref().map(|OrBrief(check)| exec_check(check, *span, problems)));
    let notify = raw.notify.as_ref().is_some_and(|notify| notify.value);
    let count = checks.len() + usize::from(raw.log.is_some()) + usize::from(notify);
    if count != 1 {
        let problem = match count {
            0 => Problem::error("no_check", "a probe needs a check: `http`, `tcp`, `grpc`, `exec`, `log` or `notify`"),
            _ => Problem::error("two_checks", "a probe has one check, this one has several"),
        };
        problems.push(problem.at(*span));
        return None;
    }
    if let Some(pattern) = &raw.log {
        return Some(Sign::Log(pattern.value.0.clone()));
    }
    if notify {
        return Some(Sign::Notify);
    }
    let check = checks.pop().flatten()?;
    Some(Sign::Probe(check))
}

fn rhythm(raw: &RawProbe, default: Rhythm, problems: &mut Problems) -> Rhythm {
    let either = |duration: Option<Duration>, seconds: Option<Seconds>| duration.or(seconds.map(|it| it.0));
    let threshold = |value: Option<&At<u32>>, default: u32, problems: &mut Problems| match value {
        Some(At { value: 0, span }) => {
            problems.push(Problem::error("bad_threshold", "a threshold is at least 1").at(*span));
            default
        }
        Some(At { value, .. }) => *value,
        None => default,
    };
    let failures = raw.failure_threshold.as_ref().or(raw.failureThreshold.as_ref());
    let successes = raw.success_threshold.as_ref().or(raw.successThreshold.as_ref());
    let period = either(raw.period, raw.periodSeconds);
    let floor = Duration::from_millis(10);
    Rhythm {
        // Whoever writes a period means it for both; the two defaults differ so that a quiet service stays quiet.
        period: period.unwrap_or(default.period).max(floor),
        quiet_period: period.unwrap_or(default.quiet_period).max(floor),
        timeout: either(raw.timeout, raw.timeoutSeconds).unwrap_or(default.timeout).max(floor),
        initial_delay: either(raw.initial_delay, raw.initialDelaySeconds).unwrap_or(default.initial_delay),
        failure_threshold: threshold(failures, default.failure_threshold, problems),
        success_threshold: threshold(successes, default.success_threshold, problems),
    }
}

fn http_check(raw: &HttpCheck, ports: &[Port], span: Span, problems: &mut Problems) -> Option<Check> {
    if let Some(scheme) = &raw.scheme
        && !scheme.value.eq_ignore_ascii_case("http")
    {
        problems.push(not_built("an https check", scheme.span));
        return None;
    }
    let path = raw.path.as_ref().map_or("/", |path| path.value.as_str());
    if let Some(written) = &raw.path
        && (!path.starts_with('/') || path.contains([' ', '\n']))
    {
        let hint = format!("write `/{}`", path.trim_start_matches('/').replace(' ', "%20"));
        let problem = Problem::error("bad_path", format!("`{path}` is no path of a request"));
        problems.push(problem.at(written.span).hint(hint));
        return None;
    }
    let (host, headers) = headers(raw, span, problems);
    Some(Check::Http {
        path: path.to_owned(),
        port: port(raw.port.as_ref(), &[Protocol::Http, Protocol::H2], ports, span, problems)?,
        host: host.or_else(|| raw.host.clone()),
        headers,
        status: raw.status.as_ref().map(|status| status.value),
    })
}

/// A Host among the headers, and the others: ours, then Kubernetes', which may have a name twice.
fn headers(raw: &HttpCheck, span: Span, problems: &mut Problems) -> (Option<String>, Vec<(String, String)>) {
    let ours = raw.headers.iter().flat_map(|headers| &headers.0);
    let ours = ours.map(|(name, entry)| (At { value: name.clone(), span: entry.key }, Some(&entry.value)));
    let mut all: Vec<_> = ours.collect();
    for header in raw.httpHeaders.iter().flatten() {
        match &header.name {
            Some(name) => all.push((name.clone(), header.value.as_ref())),
            None => {
                let problem = Problem::error("missing_key", "a header needs a `name`").at(span);
                problems.push(problem.hint("write `{ name: X-Probe, value: yes }`"));
            }
        }
    }
    let (mut host, mut others) = (None, Vec::new());
    for (name, value) in all {
        let text = value.map_or("", |value| value.value.as_str());
        if http::HeaderName::from_bytes(name.value.as_bytes()).is_err() {
            let message = format!("`{}` cannot be the name of a header", name.value);
            problems.push(Problem::error("bad_header", message).at(name.span));
        } else if http::HeaderValue::from_str(text).is_err() {
            let message = format!("`{}` cannot be the value of a header", text.escape_debug());
            problems.push(Problem::error("bad_header", message).at(value.map_or(name.span, |value| value.span)));
        } else if name.value.eq_ignore_ascii_case("host") {
            host = Some(text.to_owned());
        } else {
            others.push((name.value, text.to_owned()));
        }
    }
    (host, others)
}

fn exec_check(raw: &ExecCheck, span: Span, problems: &mut Problems) -> Option<Check> {
    let Some(command) = &raw.command else {
        problems.push(Problem::error("missing_key", "an exec check needs a `command`").at(span));
        return None;
    };
    Some(Check::Exec(lower_command(&command.value)))
}

fn tcp_check(raw: &TcpCheck, ports: &[Port], span: Span, problems: &mut Problems) -> Option<Check> {
    Some(Check::Tcp { port: port(raw.port.as_ref(), &[], ports, span, problems)? })
}

fn grpc_check(raw: &GrpcCheck, ports: &[Port], span: Span, problems: &mut Problems) -> Option<Check> {
    Some(Check::Grpc {
        port: port(raw.port.as_ref(), &[Protocol::Grpc, Protocol::H2], ports, span, problems)?,
        service: raw.service.clone().unwrap_or_default(),
    })
}

/// The port to ask: by name, by production's number where one is declared with it, else by number as it is. Where none
/// is given it is the first that speaks what the probe does, else the first that a connection can be made to.
fn port(
    raw: Option<&At<PortRef>>,
    spoken: &[Protocol],
    ports: &[Port],
    span: Span,
    problems: &mut Problems,
) -> Option<ServicePort> {
    let Some(At { value, span }) = raw else {
        if ports.is_empty() {
            let problem = Problem::error("no_ports", "the probe asks a port, but the service declares none");
            problems.push(problem.at(span).hint("declare it under `ports`, or name it here: `port: 8080`"));
            return None;
        }
        let speaks = ports.iter().position(|port| spoken.contains(&port.protocol));
        let connects = || ports.iter().position(|port| port.protocol != Protocol::Udp);
        return Some(ServicePort::Declared(speaks.or_else(connects).unwrap_or(0)));
    };
    match value {
        PortRef::Number(number) => match ports.iter().position(|port| port.number == *number) {
            Some(place) => Some(ServicePort::Declared(place)),
            None => Some(ServicePort::Number(*number)),
        },
        PortRef::Name(name) => match ports.iter().position(|port| port.name == *name) {
            Some(place) => Some(ServicePort::Declared(place)),
            None => {
                problems.push(unknown_port(name, ports, *span));
                None
            }
        },
    }
}

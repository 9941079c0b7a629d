//! What a manifest says of readiness, startup and liveness.

use std::time::Duration;

use nagaya::model::{Check, Command, Liveness, Readiness, Sign, Startup};

use super::problems::service;
use crate::support::manifest::{bad, good};

#[test]
fn readiness_defaults_follow_the_ports() {
    let workspace =
        good("services: { a: { command: x }, b: { command: x, ports: 80 }, c: { command: x, ports: { udp: 53 } } }");
    let readiness = |name: &str| workspace.services[name].readiness.clone();
    assert_eq!(readiness("a"), Readiness::Started);
    assert_eq!(readiness("b"), Readiness::Listening);
    assert_eq!(readiness("c"), Readiness::Listening);
}

#[test]
fn a_service_may_say_itself_that_it_is_ready() {
    let workspace = good("services: { a: { command: x, readiness: { notify: true } } }");
    assert_eq!(workspace.services["a"].readiness, Readiness::Notify);
    let problems = bad("services: { a: { command: x, readiness: { notify: false } } }");
    assert!(problems[0].contains("no_check"), "{problems:?}");
}

#[test]
fn headers_of_a_probe_are_ours_or_kubernetes() {
    let http = |keys: &str| {
        let workspace = good(&format!(
            "services: {{ a: {{ command: x, ports: 80, readiness: {{ httpGet: {{ path: /, {keys} }} }} }} }}"
        ));
        match workspace.services["a"].readiness.clone() {
            Readiness::Probe(probe) => match probe.check {
                Check::Http { host, headers, .. } => (host, headers),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    };
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(http("headers: { X-A: b }"), (None, vec![header("X-A", "b")]));
    assert_eq!(
        http("host: h, headers: { X-A: b }, httpHeaders: [{ name: X-A, value: c }, { name: X-B }]"),
        (Some("h".to_owned()), vec![header("X-A", "b"), header("X-A", "c"), header("X-B", "")])
    );
    // There it is not sent beside the Host of the probe's own.
    assert_eq!(http("httpHeaders: [{ name: host, value: shop.test }]"), (Some("shop.test".to_owned()), vec![]));
}

#[test]
fn startup_and_liveness_have_defaults_of_their_own() {
    let workspace = good(
        "services:\n  a: { command: x, ports: 80, startup: /s, liveness: /l }\n  \
         b: { command: x, startup: { exec: { command: [a, b] }, initialDelaySeconds: 5, periodSeconds: 1, \
         failureThreshold: 30 }, liveness: { notify: true } }\n  c: { command: x, startup: { log: up, period: 1m } }",
    );
    let seconds = Duration::from_secs;
    let service = |name: &str| &workspace.services[name];
    let startup = |name: &str| service(name).startup.clone().unwrap();
    // Thirty seconds in all, and asked as often as readiness is.
    let Startup { sign: Sign::Probe(probe), limit } = startup("a") else { panic!() };
    assert_eq!((limit, probe.rhythm.period, probe.rhythm.timeout), (seconds(30), seconds(2), seconds(1)));
    let Some(Liveness::Probe(probe)) = &service("a").liveness else { panic!() };
    assert_eq!((probe.rhythm.period, probe.rhythm.failure_threshold), (seconds(10), 3));
    let Startup { sign: Sign::Probe(probe), limit } = startup("b") else { panic!() };
    assert_eq!((limit, probe.rhythm.initial_delay), (seconds(35), seconds(5)));
    assert!(matches!(&probe.check, Check::Exec(Command::Argv(words)) if words.len() == 2));
    assert_eq!(service("b").liveness, Some(Liveness::Watchdog(seconds(30))));
    assert_eq!(startup("c"), Startup { sign: Sign::Log("up".into()), limit: seconds(180) });
}

#[test]
fn mistakes_of_probes_are_told_plainly() {
    let cases = [
        (
            "ports: 80\nreadiness: { httpGet: { httpHeaders: [{ name: a b, value: c }] } }",
            "5:51 bad_header `a b` cannot be the name of a header",
        ),
        (
            "ports: 80\nreadiness: { httpGet: { httpHeaders: [{ value: c }] } }",
            "5:16 missing_key a header needs a `name` | write `{ name: X-Probe, value: yes }`",
        ),
        ("readiness: healthz", "4:16 bad_path `healthz` is no path of a request | write `/healthz`"),
        (
            "readiness: /h",
            "4:16 no_ports the probe asks a port, but the service declares none | declare it under `ports`, or name it here: `port: 8080`",
        ),
        (
            "readiness: { period: 1s }",
            "4:16 no_check a probe needs a check: `http`, `tcp`, `grpc`, `exec`, `log` or `notify`",
        ),
        ("readiness: { log: a, exec: b }", "4:16 two_checks a probe has one check, this one has several"),
        ("readiness: { log: '(' }", "4:23 bad_regex not a regular expression: unclosed group"),
        ("readiness: { tcp: 1, failureThreshold: 0 }", "4:44 bad_threshold a threshold is at least 1"),
    ];
    for (keys, problem) in cases {
        assert_eq!(service(keys), [problem], "{keys}");
    }
}

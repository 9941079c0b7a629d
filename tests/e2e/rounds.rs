//! Random starts, stops, restarts, kills and edits of real processes: what runs is what is wanted, once, and no more.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value;

use crate::support::sandbox::{Account, Sandbox, finish, full, until};

/// A service by the number of seconds for which its processes sleep: by that they are found.
struct Service {
    name: &'static str,
    seconds: u32,
    /// How it is run, and what else is said of it.
    command: &'static str,
    keys: &'static str,
    /// Processes of one instance.
    processes: usize,
}

const SERVICES: [Service; 5] = [
    Service { name: "plain", seconds: 100_001, command: "exec sleep 100001", keys: "", processes: 1 },
    Service { name: "pool", seconds: 100_002, command: "exec sleep 100002", keys: "", processes: 1 },
    // It leaves others behind when it is killed.
    Service { name: "family", seconds: 100_003, command: "sleep 100003 & exec sleep 100003", keys: "", processes: 2 },
    // Only SIGKILL ends it.
    Service {
        name: "deaf",
        seconds: 100_004,
        command: "trap '' TERM; exec sleep 100004",
        keys: "stop_grace_period: 50ms",
        processes: 1,
    },
    Service {
        name: "rolling",
        seconds: 100_005,
        command: "exec sleep 100005",
        keys: "strategy: rolling",
        processes: 1,
    },
];

/// What is wanted of a service.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    up: bool,
    /// What its processes have in their environment.
    version: u32,
    replicas: usize,
}

fn manifest(wanted: &[Wanted]) -> String {
    let one = |(service, wanted): (&Service, &Wanted)| {
        let Service { name, command, keys, .. } = service;
        let Wanted { version, replicas, .. } = wanted;
        format!(
            "  {name}:\n    command: \"{command}\"\n    restart: {{ policy: always, backoff: {{ base: 10ms, max: 50ms }} }}\n    \
             environment: {{ VERSION: '{version}' }}\n    replicas: {replicas}\n    {keys}\n"
        )
    };
    let services: String = SERVICES.iter().zip(wanted).map(one).collect();
    format!("name: rounds\nservices:\n{services}")
}

/// The processes that sleep, each by its seconds and its version.
fn running(sandbox: &Sandbox) -> Vec<(u32, u32, u32)> {
    let found = sandbox.processes().into_iter().filter_map(|pid| {
        let words = fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
        let seconds = words.strip_prefix("sleep\0")?.trim_end_matches('\0').parse().ok()?;
        let variables = fs::read(format!("/proc/{pid}/environ")).ok()?;
        let mut variables = variables.split(|byte| *byte == 0).filter_map(|it| it.strip_prefix(b"VERSION="));
        let version = String::from_utf8_lossy(variables.next()?).parse().ok()?;
        Some((seconds, version, pid))
    });
    found.collect()
}

/// How many processes there are of each kind, by seconds and version.
fn counted(of: impl Iterator<Item = (u32, u32)>) -> BTreeMap<(u32, u32), usize> {
    let mut counts = BTreeMap::new();
    of.for_each(|kind| *counts.entry(kind).or_default() += 1);
    counts
}

fn expected(wanted: &[Wanted]) -> BTreeMap<(u32, u32), usize> {
    let up = SERVICES.iter().zip(wanted).filter(|(_, wanted)| wanted.up);
    up.map(|(service, wanted)| ((service.seconds, wanted.version), wanted.replicas * service.processes)).collect()
}

#[track_caller]
fn agrees(sandbox: &Sandbox, wanted: &[Wanted], seed: u64, round: usize) {
    let now = || counted(running(sandbox).into_iter().map(|(seconds, version, _)| (seconds, version)));
    let states = || {
        let rows = sandbox.nagaya(&["ps", "--json"]).good().json();
        let state = |row: &Value| (row["name"].as_str().unwrap().to_owned(), row["state"].as_str().unwrap().to_owned());
        rows.as_array().unwrap().iter().map(state).collect::<BTreeSet<_>>()
    };
    let state = |(service, wanted): (&Service, &Wanted)| {
        (service.name.to_owned(), if wanted.up { "running" } else { "stopped" }.to_owned())
    };
    let wished: BTreeSet<_> = SERVICES.iter().zip(wanted).map(state).collect();
    // A process can be seen before the engine has been told of it.
    until(&format!("what runs is what is wanted, seed {seed}, round {round}: {wanted:?}"), || {
        now() == expected(wanted) && states() == wished
    });
}

fn play(account: Account, seed: u64, rounds: usize) {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut wanted = [Wanted { up: true, version: 0, replicas: 1 }; SERVICES.len()];
    let sandbox = Sandbox::of(account, &manifest(&wanted));
    sandbox.up();
    for round in 0..rounds {
        let at = random.usize(..SERVICES.len());
        let name = SERVICES[at].name;
        match random.u8(..10) {
            0 | 1 => {
                sandbox.nagaya(&["start", name]).good();
                wanted[at].up = true;
            }
            2 | 3 => {
                sandbox.nagaya(&["stop", name]).good();
                wanted[at].up = false;
            }
            4 | 5 => {
                sandbox.nagaya(&["restart", name]).good();
                wanted[at].up = true;
            }
            6 | 7 => {
                let rows = sandbox.nagaya(&["ps", "--json"]).good().json();
                let mains: Vec<String> =
                    rows.as_array().unwrap().iter().filter_map(|row| Some(row["pid"].as_u64()?.to_string())).collect();
                if let Some(main) = random.choice(&mains) {
                    // It may have ended meanwhile.
                    finish(std::process::Command::new("kill").args(["-9", main]));
                }
            }
            8 => {
                wanted[at].version += 1;
                sandbox.write("nagaya.yaml", manifest(&wanted));
            }
            _ => {
                wanted[at].replicas = random.usize(1..=3);
                sandbox.write("nagaya.yaml", manifest(&wanted));
            }
        }
        if random.u8(..10) == 0 {
            agrees(&sandbox, &wanted, seed, round);
        }
    }
    agrees(&sandbox, &wanted, seed, rounds);
    sandbox.nagaya(&["down"]).good();
    sandbox.empties();
}

#[test]
fn what_runs_is_what_is_wanted_whatever_went_before() {
    let rounds = if full() { 500 } else { 40 };
    for account in Account::all() {
        play(account, fastrand::u64(..), rounds);
    }
}

//! Random sequences of everything that can happen, against what must always hold.

use std::collections::{HashMap, HashSet};

use nagaya::model::{ProbeKind, Signal};
use nagaya::supervise::{
    Command, Demand, Effect, Exit, Fact, Hour, Incarnation, Input, Left, Moment, Said, SetupRun, State, Ticket, Want,
};

use super::fixture::Fixture;

const SERVICES: &str = "web: depends_on: [api, cart], ports: 80 \
    | api: depends_on: { db: ready, migrate: completed }, ports: 80, readiness: /h, restart: always \
    | cart: depends_on: { db: started }, restart: { policy: on-failure, max: 2 }, setup: make \
    | db: ports: 5432, readiness: { exec: check } \
    | migrate: depends_on: db, setup: make \
    | lazy: lazy: true, ports: 80, depends_on: db, idle_timeout: 5s \
    | log: readiness: { log: up }, restart: on-failure \
    | notify: readiness: { notify: true }, depends_on: { log: { restart: true } }, restart: always \
    | pay: external: 'https://pay.example.com' \
    | shop: depends_on: { pay: ready, db: { restart: true } } \
    | pool: replicas: 3, ports: 80, restart: on-failure \
    | roll: replicas: 2, ports: 80, strategy: rolling, restart: always, depends_on: pool, max_age: 1m, liveness: /l \
    | slow: ports: 80, startup: { http: /s, failure_threshold: 2 }, liveness: { exec: check }, restart: on-failure \
    | word: startup: { log: up }, readiness: { notify: true }, liveness: { notify: true }, depends_on: slow, \
        restart: { policy: always, max: 3 } \
    | job: schedule: '* * * * *', depends_on: db, restart: on-failure, setup: make \
    | auto: replicas: { max: 4, in_flight: 1, period: 1s, stabilization_window: 4s }, ports: 80, restart: always";

/// The place of the service that lives elsewhere, and of the one that depends on it.
const PAY: usize = 8;
const SHOP: usize = 9;
/// Those of which there are several.
const POOL: usize = 10;
const ROLL: usize = 11;
const AUTO: usize = 15;

/// The one that is asked whether it has started.
const SLOW: usize = 12;

/// How many instances of a service there are at most: those that are wanted, and for one that rolls those whose place
/// others take.
fn most(service: usize) -> usize {
    match service {
        POOL => 3,
        ROLL | AUTO => 4,
        _ => 1,
    }
}

/// A service and the number of its instance.
type Of = (usize, u32);

/// What the outside world would know: which lives were launched and have not ended.
#[derive(Default)]
struct Outside {
    launching: HashMap<Incarnation, Of>,
    running: HashMap<Incarnation, Of>,
    /// Main process ended, others left.
    leftover: HashMap<Incarnation, Of>,
    /// SIGKILL is out: they end before time passes.
    killed: HashSet<Incarnation>,
    looks: Vec<Ticket>,
    sweeps: Vec<Vec<(usize, Incarnation)>>,
    measures: Vec<Incarnation>,
    alerts: Vec<Incarnation>,
    probes: HashSet<(Incarnation, ProbeKind)>,
    setups: Vec<SetupRun>,
    /// Lives that have answered that they have started.
    started: HashSet<Incarnation>,
}

impl Outside {
    fn perform(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Launch { service, instance, incarnation } => {
                    let of = (service, instance);
                    assert!(self.alive().all(|other| other != of), "{of:?} was launched twice");
                    let count = self.alive().filter(|(other, _)| *other == service).count();
                    assert!(count < most(service), "{} of {service}", count + 1);
                    assert_ne!(service, PAY, "nothing of it runs here");
                    self.launching.insert(incarnation, of);
                }
                Effect::Signal { incarnation, signal } => {
                    if signal == Signal::KILL {
                        self.killed.insert(incarnation);
                    }
                    let known = self.running.contains_key(&incarnation) || self.leftover.contains_key(&incarnation);
                    assert!(known, "a {signal} for {incarnation:?}, which does not run");
                }
                Effect::Probe { service, incarnation, kind } => {
                    let may = service != SLOW || (kind == ProbeKind::Startup) != self.started.contains(&incarnation);
                    assert!(may, "a {} probe out of its turn", kind.word());
                    assert!(self.probes.insert((incarnation, kind)), "two probes of a kind at once");
                }
                Effect::Look { ticket, .. } => self.looks.push(ticket),
                Effect::Measure { incarnation, .. } => self.measures.push(incarnation),
                Effect::Alert { incarnation, .. } => self.alerts.push(incarnation),
                Effect::Weigh => panic!("there is no budget"),
                Effect::Sweep(waiting) => {
                    let slow = waiting.iter().filter(|(service, _)| *service == SLOW);
                    slow.for_each(|(_, life)| assert!(self.started.contains(life), "it has not started"));
                    self.sweeps.push(waiting);
                }
                Effect::Setup { run, .. } => self.setups.push(run),
            }
        }
        assert!(self.sweeps.len() <= 1, "two sweeps at once");
    }

    fn alive(&self) -> impl Iterator<Item = Of> {
        self.launching.values().chain(self.running.values()).chain(self.leftover.values()).copied()
    }

    /// The ends of what was killed.
    fn reap(&mut self) -> Vec<Fact> {
        let mut killed: Vec<Incarnation> = self.killed.drain().collect();
        killed.sort_unstable();
        let mut facts = Vec::new();
        for life in killed {
            if self.running.remove(&life).is_some() {
                facts.push(Fact::Exited(life, Exit::Signal(Signal::KILL), Left::Nothing));
            } else if self.leftover.remove(&life).is_some() {
                facts.push(Fact::Gone(life));
            }
        }
        facts
    }

    /// One more process that ends, as it was told.
    fn obey(&mut self) -> Option<Fact> {
        if let Some(&life) = self.launching.keys().next() {
            self.launching.remove(&life);
            return Some(Fact::NotLaunched(life, "late".into()));
        }
        if let Some(&life) = self.running.keys().next() {
            self.running.remove(&life);
            return Some(Fact::Exited(life, Exit::Code(0), Left::Nothing));
        }
        let life = *self.leftover.keys().next()?;
        self.leftover.remove(&life);
        Some(Fact::Gone(life))
    }

    /// Something that the outside could say now.
    fn fact(&mut self, now: Moment, random: &mut fastrand::Rng) -> Option<Fact> {
        if let Some(ticket) = self.looks.pop() {
            let look = Some(now.after(std::time::Duration::from_millis(random.u64(..5000))));
            return Some(Fact::Looked(
                ticket,
                Hour { is_due: random.bool(), next: jiff::Timestamp::from_second(1).ok(), look },
            ));
        }
        let pick = |map: &HashMap<Incarnation, Of>, random: &mut fastrand::Rng| {
            let mut keys: Vec<Incarnation> = map.keys().copied().collect();
            keys.sort_unstable();
            (!keys.is_empty()).then(|| keys[random.usize(..keys.len())])
        };
        match random.u8(..11) {
            0 | 1 => {
                let life = pick(&self.launching, random)?;
                let service = self.launching.remove(&life)?;
                if random.u8(..10) == 0 {
                    return Some(Fact::NotLaunched(life, "no".into()));
                }
                self.running.insert(life, service);
                Some(Fact::Launched(life, 1))
            }
            2 => {
                let life = pick(&self.running, random)?;
                let service = self.running.remove(&life)?;
                let exit = Exit::Code(i32::from(random.u8(..2)));
                let left = [Left::Nothing, Left::Nothing, Left::Strays, Left::Listeners][random.usize(..4)];
                if left != Left::Nothing {
                    self.leftover.insert(life, service);
                }
                Some(Fact::Exited(life, exit, left))
            }
            3 => {
                let life = pick(&self.leftover, random)?;
                self.leftover.remove(&life);
                Some(Fact::Gone(life))
            }
            4 | 5 => {
                let mut probes: Vec<(Incarnation, ProbeKind)> = self.probes.iter().copied().collect();
                probes.sort_unstable_by_key(|(life, kind)| (*life, kind.word()));
                let (life, kind) = (!probes.is_empty()).then(|| probes[random.usize(..probes.len())])?;
                self.probes.remove(&(life, kind));
                let result = if random.bool() { Ok(()) } else { Err("no".into()) };
                if kind == ProbeKind::Startup && result.is_ok() {
                    self.started.insert(life);
                }
                Some(Fact::Probed(life, kind, result))
            }
            6 => {
                let waiting = self.sweeps.pop()?;
                let swept = waiting.into_iter().map(|(_, incarnation)| {
                    let listening = random.bool();
                    nagaya::supervise::Swept { incarnation, listening, finding: None }
                });
                Some(Fact::Swept(swept.collect(), std::time::Duration::from_millis(random.u64(..50))))
            }
            7 => {
                let run = (!self.setups.is_empty()).then(|| self.setups.swap_remove(0))?;
                Some(Fact::SetupEnded(run, if random.u8(..4) > 0 { Ok(()) } else { Err("no".into()) }))
            }
            9 => {
                if let (true, Some(alert)) = (random.bool(), self.alerts.pop()) {
                    return Some(Fact::Called(alert));
                }
                let demand = Demand { under_way: random.u32(..8).saturating_sub(4), begun: 0, last: 0 };
                Some(Fact::Measured(self.measures.pop()?, demand))
            }
            8 => Some(Fact::Drained(pick(&self.running, random)?)),
            _ => {
                let life = pick(&self.running, random).or_else(|| pick(&self.launching, random))?;
                Some(said(life, random))
            }
        }
    }
}

/// What an instance or its check could say of itself.
fn said(life: Incarnation, random: &mut fastrand::Rng) -> Fact {
    match random.u8(..8) {
        6 => Fact::HasCheck(life),
        7 => Fact::Judged(life, if random.bool() { Ok(()) } else { Err("no".into()) }),
        0 => Fact::LogMatched(life, ProbeKind::Readiness),
        1 => Fact::LogMatched(life, ProbeKind::Startup),
        2 => Fact::Said(life, Said::Alive),
        3 if random.u8(..5) == 0 => Fact::Said(life, Said::Dead),
        4 => Fact::Said(life, Said::Status("half".into())),
        _ => Fact::Said(life, Said::Ready),
    }
}

fn command(count: usize, random: &mut fastrand::Rng) -> Command {
    let one = vec![random.usize(..count)];
    match random.u8(..18) {
        0..3 => Command::Up((0..count).map(|place| (place, if place == 5 { Want::Idle } else { Want::Up })).collect()),
        3..6 => Command::Start(one),
        6..8 => Command::Stop(one),
        8..11 => Command::Restart(one),
        11 => Command::Wake(5),
        12 => Command::Down,
        13..16 => Command::Replace(one),
        16 => Command::Kill(one),
        _ => Command::Kill((0..count).collect()),
    }
}

fn run(seed: u64, steps: usize) {
    let mut fixture = Fixture::new(SERVICES);
    let mut outside = Outside::default();
    let mut random = fastrand::Rng::with_seed(seed);
    let count = fixture.world.plan().services.len();
    let mut now = nagaya::supervise::Moment::default();
    for _ in 0..steps {
        let input = match random.u8(..10) {
            0 => Input::Asked(command(count, &mut random)),
            1..3 => {
                for fact in outside.reap() {
                    outside.perform(fixture.world.step(now, Input::Told(fact)));
                }
                now = now.after(std::time::Duration::from_millis(random.u64(..3000)));
                Input::Tick
            }
            _ => match outside.fact(now, &mut random) {
                Some(fact) => Input::Told(fact),
                None => continue,
            },
        };
        let serving = fixture.world.endpoints(ROLL).count();
        let replaces = matches!(input, Input::Asked(Command::Replace(_)));
        let effects = fixture.world.step(now, input);
        outside.perform(effects);
        check(&fixture, &outside);
        assert!(!replaces || fixture.world.endpoints(ROLL).count() == serving, "a replacement begins with a loss");
    }
    // Whatever went before, a down that everybody obeys ends everything.
    outside.perform(fixture.world.step(now, Input::Asked(Command::Down)));
    for _ in 0..500 {
        if fixture.world.is_quiet() {
            break;
        }
        let input = outside.obey().map_or(Input::Tick, Input::Told);
        if matches!(input, Input::Tick) {
            now = now.after(std::time::Duration::from_secs(20));
        }
        outside.perform(fixture.world.step(now, input));
    }
    assert!(fixture.world.is_quiet(), "seed {seed}: {}", fixture.states());
}

/// What must hold after every step.
fn check(fixture: &Fixture, outside: &Outside) {
    for place in 0..fixture.world.plan().services.len() {
        let statuses: Vec<_> = fixture.world.statuses(place).collect();
        for status in &statuses {
            let of = (place, status.instance);
            let alive = outside.running.values().chain(outside.launching.values()).any(|other| *other == of);
            let believed = matches!(
                status.state,
                State::Starting | State::Running | State::Ready | State::Unhealthy | State::Stopping
            );
            assert!(!alive || believed, "{of:?} runs, and is said to be {:?}", status.state);
            assert!(!status.ready || status.settled);
        }
        let unknown =
            outside.alive().find(|(of, number)| *of == place && statuses.iter().all(|it| it.instance != *number));
        assert_eq!(unknown, None, "it runs, and nothing is said of it");
        assert!(statuses.is_sorted_by_key(|status| status.instance) && !statuses.is_empty());
        // It can be called while one of its instances can, and is then said to be ready.
        let ready = fixture.world.status(place).ready;
        let endpoints = fixture.world.endpoints(place).count();
        assert!(place == PAY || ready == (endpoints > 0), "{place} has {endpoints} that can be called");
        for (number, _) in fixture.world.endpoints(place) {
            assert!(outside.alive().any(|of| of == (place, number)), "{number} of {place} does not run");
        }
    }
    // It is as it is wanted, but that it goes after who may still call it.
    let status = fixture.world.status(PAY);
    let called = outside.alive().any(|(service, _)| service == SHOP);
    match status.state {
        State::Ready => assert!(status.wanted || called, "nobody wants it or can call it"),
        State::Stopped => assert!(!status.wanted, "it is wanted and there"),
        other => panic!("it lives elsewhere, and is said to be {other:?}"),
    }
}

#[test]
fn nothing_breaks_the_rules() {
    // The long count is for `tests/run --full`.
    let full = std::env::var_os("NAGAYA_FULL").is_some();
    let rounds = if full { 1000 } else { 60 };
    for seed in 0..rounds {
        run(seed, 1000);
    }
}

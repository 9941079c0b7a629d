//! Random graphs with random ends: what the machine does must be what a naive reading of the rules allows.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::time::Duration;

use nagaya::pipeline::{Cause, Effect, End, Input, Machine, Node, Rules, State};

use crate::support::sandbox::full;

struct World {
    nodes: Vec<Node>,
    rules: Rules,
    /// What each task would end with.
    ends: Vec<End>,
    machine: Machine,
    running: BTreeSet<usize>,
    begun: BTreeSet<usize>,
    killed: BTreeSet<usize>,
    now: Duration,
}

impl World {
    fn random(random: &mut fastrand::Rng) -> Self {
        let count = random.usize(1..14);
        let node = |place: usize, random: &mut fastrand::Rng| Node {
            needs: (0..place).filter(|_| random.u8(..4) == 0).collect(),
            weight: random.u64(0..5),
            lock: (random.u8(..4) == 0).then(|| random.usize(..2)),
            alone: random.u8(..10) == 0,
        };
        let nodes: Vec<Node> = (0..count).map(|place| node(place, random)).collect();
        let end = |random: &mut fastrand::Rng| match random.u8(..8) {
            0 => End::Failed(random.u8(1..)),
            1..4 => End::Cached,
            _ => End::Fresh,
        };
        let ends = (0..count).map(|_| end(random)).collect();
        let jobs = NonZeroUsize::new(random.usize(1..5)).unwrap();
        let rules = Rules { jobs, keep_going: random.bool(), grace: Duration::from_secs(3) };
        let machine = Machine::new(nodes.clone(), rules);
        Self {
            nodes,
            rules,
            ends,
            machine,
            running: BTreeSet::new(),
            begun: BTreeSet::new(),
            killed: BTreeSet::new(),
            now: Duration::ZERO,
        }
    }

    fn step(&mut self, input: Input) {
        for effect in self.machine.step(self.now, input) {
            match effect {
                Effect::Start(place) => {
                    assert!(self.begun.insert(place), "{place} was begun twice");
                    assert!(!self.machine.is_interrupted(), "{place} was begun after an interrupt");
                    for need in &self.nodes[place].needs {
                        let done = matches!(self.machine.state(*need), State::Done(End::Fresh | End::Cached));
                        assert!(done, "{place} was begun before {need}");
                    }
                    for other in &self.running {
                        let (a, b) = (&self.nodes[place], &self.nodes[*other]);
                        assert!(
                            !a.alone && !b.alone && (a.lock.is_none() || a.lock != b.lock),
                            "{place} beside {other}"
                        );
                    }
                    self.running.insert(place);
                    assert!(self.running.len() <= self.rules.jobs.get());
                }
                Effect::Stop(place) => assert!(self.running.contains(&place)),
                Effect::Kill(place) => {
                    assert!(self.running.contains(&place) && self.killed.insert(place), "{place} was killed twice");
                }
                Effect::Skip(place, _) => assert!(!self.begun.contains(&place)),
            }
        }
    }

    fn end_one(&mut self, random: &mut fastrand::Rng) {
        let at = random.usize(..self.running.len());
        let place = *self.running.iter().nth(at).unwrap();
        self.running.remove(&place);
        self.step(Input::Ended(place, self.ends[place]));
    }

    /// By the rules: a task ends as it would where all that it needs went well.
    fn naive(&self) -> Vec<Result<End, ()>> {
        let mut all: Vec<Result<End, ()>> = Vec::new();
        for (place, node) in self.nodes.iter().enumerate() {
            let met = node.needs.iter().all(|need| matches!(all[*need], Ok(End::Fresh | End::Cached)));
            all.push(if met { Ok(self.ends[place]) } else { Err(()) });
        }
        all
    }
}

#[test]
fn random_runs_are_as_the_rules_say() {
    let rounds = if full() { 200_000 } else { 5_000 };
    for seed in 0..rounds {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut world = World::random(&mut random);
        world.step(Input::Begin);
        while !world.machine.is_done() {
            assert!(!world.running.is_empty(), "seed {seed}: nothing runs, and it is not done");
            world.end_one(&mut random);
        }
        let naive = world.naive();
        let failure = world.machine.first_failure();
        assert_eq!(failure.is_some(), naive.iter().any(|it| matches!(it, Ok(End::Failed(_)))), "seed {seed}");
        for (place, wanted) in naive.iter().enumerate() {
            match (world.machine.state(place), wanted) {
                (State::Done(end), Ok(wanted)) => assert_eq!(end, *wanted, "seed {seed}"),
                (State::Skipped(Cause::Needs(need)), Err(())) => {
                    assert!(world.nodes[place].needs.contains(&need), "seed {seed}");
                }
                (State::Skipped(Cause::After(_)), _) => {
                    assert!(!world.rules.keep_going && failure.is_some(), "seed {seed}");
                }
                other => panic!("seed {seed}: {place} is {other:?}"),
            }
        }
    }
}

#[test]
fn an_interrupt_at_any_time_ends_all() {
    for seed in 0..if full() { 100_000 } else { 3_000 } {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut world = World::random(&mut random);
        world.step(Input::Begin);
        for _ in 0..random.usize(..world.nodes.len()) {
            if !world.running.is_empty() {
                world.end_one(&mut random);
            }
        }
        world.step(Input::Interrupt);
        let alive = world.running.clone();
        if random.bool() {
            world.step(Input::Interrupt);
        } else if let Some(deadline) = world.machine.deadline() {
            world.now = deadline;
            world.step(Input::Tick);
        }
        assert_eq!(world.killed, alive, "seed {seed}");
        while !world.running.is_empty() {
            world.end_one(&mut random);
        }
        assert!(world.machine.is_done(), "seed {seed}");
        assert!((0..world.nodes.len()).all(|it| !matches!(world.machine.state(it), State::Waiting | State::Running)));
    }
}

//! The machine by cases.

use super::Effect::{Kill, Skip, Start, Stop};
use super::*;

const SOON: Duration = Duration::from_secs(1);

fn rules(jobs: usize, keep_going: bool) -> Rules {
    Rules { jobs: NonZeroUsize::new(jobs).unwrap(), keep_going, grace: SOON }
}

/// 0 and 1 stand alone, 2 needs 0, 3 needs 2 and 1.
fn nodes() -> Vec<Node> {
    let needs: [&[usize]; 4] = [&[], &[], &[0], &[2, 1]];
    needs.map(|needs| Node { needs: needs.to_vec(), weight: 1, ..Node::default() }).to_vec()
}

fn machine(jobs: usize, keep_going: bool) -> Machine {
    Machine::new(nodes(), rules(jobs, keep_going))
}

fn step(machine: &mut Machine, input: Input) -> Vec<Effect> {
    machine.step(Duration::ZERO, input)
}

#[test]
fn what_is_needed_comes_first_and_the_longest_chain_before_others() {
    let mut machine = machine(1, false);
    assert_eq!(step(&mut machine, Input::Begin), [Start(0)]);
    assert_eq!(step(&mut machine, Input::Ended(0, End::Fresh)), [Start(1)]);
    assert_eq!(step(&mut machine, Input::Ended(1, End::Cached)), [Start(2)]);
    assert_eq!(step(&mut machine, Input::Ended(2, End::Fresh)), [Start(3)]);
    assert!(!machine.is_done());
    assert_eq!(step(&mut machine, Input::Ended(3, End::Fresh)), []);
    assert!(machine.is_done() && machine.first_failure().is_none());
}

#[test]
fn a_failure_lets_others_end_and_begins_nothing() {
    let mut machine = machine(2, false);
    assert_eq!(step(&mut machine, Input::Begin), [Start(0), Start(1)]);
    let skipped = [Skip(2, Cause::Needs(0)), Skip(3, Cause::Needs(2))];
    assert_eq!(step(&mut machine, Input::Ended(0, End::Failed(3))), skipped);
    assert!(!machine.is_done());
    assert_eq!(step(&mut machine, Input::Ended(1, End::Failed(4))), []);
    assert_eq!(machine.first_failure(), Some((0, 3)));
    assert!(machine.is_done());
}

#[test]
fn without_keep_going_nothing_else_is_begun() {
    let apart = vec![Node::default(); 3];
    let mut machine = Machine::new(apart.clone(), rules(1, false));
    assert_eq!(step(&mut machine, Input::Begin), [Start(0)]);
    let skipped = [Skip(1, Cause::After(0)), Skip(2, Cause::After(0))];
    assert_eq!(step(&mut machine, Input::Ended(0, End::Failed(1))), skipped);
    let mut machine = Machine::new(apart, rules(1, true));
    assert_eq!(step(&mut machine, Input::Begin), [Start(0)]);
    assert_eq!(step(&mut machine, Input::Ended(0, End::Failed(1))), [Start(1)]);
}

#[test]
fn an_interrupt_asks_then_kills() {
    let mut machine = machine(2, false);
    step(&mut machine, Input::Begin);
    let effects = [Stop(0), Stop(1), Skip(2, Cause::Interrupted), Skip(3, Cause::Interrupted)];
    assert_eq!(step(&mut machine, Input::Interrupt), effects);
    assert_eq!(machine.deadline(), Some(SOON));
    assert_eq!(step(&mut machine, Input::Ended(0, End::Fresh)), []);
    assert_eq!(machine.state(0), State::Stopped);
    assert_eq!(step(&mut machine, Input::Interrupt), [Kill(1)]);
    assert_eq!((machine.deadline(), machine.is_done()), (None, false));
    assert_eq!(step(&mut machine, Input::Interrupt), []);
    step(&mut machine, Input::Ended(1, End::Failed(137)));
    assert!(machine.is_done() && machine.is_interrupted() && machine.first_failure().is_none());
}

#[test]
fn who_does_not_end_in_time_is_killed_once() {
    let mut machine = machine(2, false);
    step(&mut machine, Input::Begin);
    step(&mut machine, Input::Interrupt);
    assert_eq!(machine.step(SOON / 2, Input::Tick), []);
    assert_eq!(machine.step(SOON, Input::Tick), [Kill(0), Kill(1)]);
    assert_eq!(machine.step(2 * SOON, Input::Tick), []);
}

#[test]
fn a_lock_and_a_terminal_keep_others_waiting() {
    let node = |lock, alone| Node { lock, alone, ..Node::default() };
    let mut machine =
        Machine::new(vec![node(Some(0), false), node(Some(0), false), node(None, false)], rules(4, false));
    assert_eq!(step(&mut machine, Input::Begin), [Start(0), Start(2)]);
    assert_eq!(step(&mut machine, Input::Ended(0, End::Fresh)), [Start(1)]);
    let mut machine = Machine::new(vec![node(None, true), node(None, false)], rules(4, false));
    assert_eq!(step(&mut machine, Input::Begin), [Start(0)]);
    assert_eq!(step(&mut machine, Input::Ended(0, End::Fresh)), [Start(1)]);
}

//! How services end.

use super::fixture::Fixture;

fn running(services: &str, names: &[&str]) -> Fixture {
    let mut world = Fixture::new(services);
    world.up();
    names.iter().for_each(|name| {
        world.launched(name);
    });
    world
}

#[test]
fn down_goes_in_reverse_order_and_in_parallel() {
    let mut world = running("a: depends_on: [b, c] | b: depends_on: d | c: depends_on: d | d", &["d", "b", "c", "a"]);
    assert_eq!(world.down(), "signal a SIGTERM");
    assert_eq!(world.exited("a", 143), "signal b SIGTERM, signal c SIGTERM");
    assert_eq!(world.exited("c", 0), "");
    assert_eq!(world.exited("b", 0), "signal d SIGTERM");
    assert!(!world.world.is_quiet());
    world.exited("d", 0);
    assert!(world.world.is_quiet());
    assert_eq!(world.states(), "stopped stopped stopped stopped");
}

#[test]
fn one_service_is_stopped_alone() {
    let mut world = running("a: depends_on: b | b: restart: always", &["b", "a"]);
    assert_eq!(world.stop(&["b"]), "signal b SIGTERM");
    world.exited("b", 0);
    assert_eq!(world.states(), "running stopped");
    assert_eq!(world.pass(60_000), "");
}

#[test]
fn what_does_not_end_in_time_is_killed_and_then_given_up() {
    let mut world = running("a: stop_signal: SIGINT, stop_grace_period: 3s", &["a"]);
    assert_eq!(world.stop(&["a"]), "signal a SIGINT");
    assert_eq!(world.next(), Some(3000));
    assert_eq!(world.pass(3000), "signal a SIGKILL");
    assert_eq!(world.state("a"), "stopping");
    assert_eq!(world.pass(5000), "");
    assert_eq!(world.state("a"), "stopped");
}

#[test]
fn a_stop_waits_for_the_last_process() {
    let mut world = running("a: stop_grace_period: 3s", &["a"]);
    world.stop(&["a"]);
    world.exited_leaving("a", 0, nagaya::supervise::Left::Strays);
    assert_eq!(world.state("a"), "stopping");
    assert_eq!(world.pass(3000), "signal a SIGKILL");
    world.gone("a");
    assert_eq!(world.state("a"), "stopped");
}

#[test]
fn a_stop_before_the_launch_is_reported_is_not_forgotten() {
    let mut world = Fixture::new("a");
    world.up();
    assert_eq!(world.stop(&["a"]), "");
    assert_eq!(world.launched("a"), "signal a SIGTERM");
    world.exited("a", 0);
    assert_eq!(world.state("a"), "stopped");
}

#[test]
fn what_waits_or_backs_off_stops_at_once() {
    let mut world = running("a: depends_on: { b: completed } | b | c: restart: always", &["b", "c"]);
    world.exited("c", 1);
    assert_eq!(world.stop(&["a", "c"]), "");
    assert_eq!(world.states(), "stopped running stopped");
    assert_eq!(world.pass(60_000), "");
}

#[test]
fn a_start_during_a_stop_comes_after_it() {
    let mut world = running("a", &["a"]);
    world.stop(&["a"]);
    assert_eq!(world.start(&["a"]), "");
    assert_eq!(world.exited("a", 0), "launch a");
}

#[test]
fn a_kill_asks_nobody() {
    let mut world = running("a: depends_on: b | b", &["b", "a"]);
    assert_eq!(world.down(), "signal a SIGTERM");
    assert_eq!(world.kill(), "signal a SIGKILL, signal b SIGKILL");
    world.exited("a", 137);
    world.exited("b", 137);
    assert!(world.world.is_quiet());
}

#[test]
fn a_kill_of_one_takes_no_grace_and_waits_for_nobody() {
    let mut world = running("a: depends_on: b | b: restart: always | c: restart: always", &["b", "a", "c"]);
    world.exited("c", 1);
    assert_eq!(world.kill_these(&["b", "c"]), "signal b SIGKILL");
    assert_eq!(world.states(), "running stopping stopped");
    world.exited("b", 137);
    assert_eq!(world.states(), "running stopped stopped");
    assert_eq!(world.pass(60_000), "", "it stays stopped");
    assert_eq!(world.start(&["b"]), "launch b");
}

#[test]
fn a_kill_of_one_that_is_being_launched_hits_it_as_soon_as_it_is_there() {
    let mut world = Fixture::new("a: depends_on: b | b");
    world.up();
    assert_eq!(world.kill_these(&["b"]), "");
    assert_eq!(world.launched("b"), "signal b SIGKILL");
    assert_eq!(world.states(), "waiting stopping");
    world.exited("b", 137);
    assert_eq!(world.states(), "waiting stopped");
}

#[test]
fn a_stop_that_takes_long_can_be_cut_short() {
    let mut world = running("a: stop_grace_period: 10m", &["a"]);
    world.stop(&["a"]);
    assert_eq!(world.kill_these(&["a"]), "signal a SIGKILL");
}

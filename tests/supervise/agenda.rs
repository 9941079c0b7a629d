//! Services that run at their times.

use super::fixture::Fixture;

const JOB: &str = "a: schedule: '* * * * *'";

/// A world in which the next run is a minute away.
fn waiting(services: &str) -> Fixture {
    let mut world = Fixture::new(services);
    assert_eq!(world.up(), "look for a");
    assert_eq!(world.looked(false, 60, 60_000), "");
    assert_eq!((world.state("a"), world.next()), ("idle", Some(60_000)));
    world
}

#[test]
fn it_runs_when_its_time_has_come_and_never_twice_at_once() {
    let mut world = waiting(JOB);
    let status = world.world.status(0);
    assert_eq!((status.settled, status.next_run.unwrap().as_second()), (true, 60));
    assert_eq!(world.pass(60_000), "look for a due 60");
    assert_eq!(world.looked(true, 120, 60_000), "launch a");
    world.launched("a");
    assert_eq!(world.pass(60_000), "look for a due 120");
    assert_eq!(world.looked(true, 180, 60_000), "", "it runs still");
    world.exited("a", 0);
    assert_eq!((world.state("a"), world.world.status(0).settled), ("completed", true));
    assert_eq!(world.pass(60_000), "look for a due 180");
    assert_eq!(world.looked(true, 240, 60_000), "launch a");
    world.launched("a");
    world.exited("a", 3);
    assert_eq!(world.state("a"), "failed");
    // A failure is no reason to miss the next time.
    world.pass(60_000);
    assert_eq!(world.looked(true, 300, 60_000), "launch a");
}

#[test]
fn a_look_that_comes_early_or_too_late_runs_nothing() {
    let mut world = waiting(JOB);
    for _ in 0..3 {
        assert_eq!(world.pass(60_000), "look for a due 60");
        assert_eq!(world.looked(false, 60, 60_000), "");
        assert_eq!(world.state("a"), "idle");
    }
}

#[test]
fn by_hand_it_runs_at_once_and_a_stop_ends_its_times() {
    let mut world = waiting(JOB);
    assert_eq!(world.up(), "");
    assert_eq!(world.start(&["a"]), "launch a");
    world.launched("a");
    assert_eq!(world.stop(&["a"]), "signal a SIGTERM");
    world.exited("a", 143);
    assert_eq!((world.state("a"), world.next(), world.world.status(0).next_run), ("stopped", None, None));
    // What was asked of the clock before has no meaning any more.
    assert_eq!(world.looked(true, 120, 1000), "");
    assert_eq!(world.restart(&["a"]), "launch a, look for a");
}

#[test]
fn what_needs_its_result_waits_for_its_first_run() {
    let mut world = Fixture::new("a: schedule: '@hourly', depends_on: c | b: depends_on: { a: completed } | c");
    assert_eq!(world.up(), "launch c, look for a");
    world.looked(false, 60, 60_000);
    world.launched("c");
    assert_eq!(world.states(), "idle waiting running");
    world.pass(60_000);
    assert_eq!(world.looked(true, 120, 60_000), "launch a");
    world.launched("a");
    assert_eq!(world.exited("a", 0), "launch b");
}

#[test]
fn other_times_in_the_manifest_hold_at_once_and_disturb_no_run() {
    let mut world = waiting(JOB);
    assert_eq!(world.apply("a: schedule: '@daily'"), "look for a");
    assert_eq!(world.apply("a: schedule: '@daily', profiles: []"), "");
    assert_eq!(world.apply("a"), "launch a");
}

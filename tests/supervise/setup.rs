//! Steps that prepare a folder.

use super::fixture::Fixture;

#[test]
fn steps_run_one_after_the_other_and_beside_the_waiting() {
    let mut world = Fixture::new("a: setup: [one, two], depends_on: b | b");
    assert_eq!(world.up(), "launch b, setup one");
    assert_eq!(world.state("a"), "setup");
    assert_eq!(world.launched("b"), "");
    assert_eq!(world.set_up("one", Ok(())), "setup two");
    assert_eq!(world.set_up("two", Ok(())), "launch a");
}

#[test]
fn the_same_step_of_the_same_folder_runs_once() {
    let mut world = Fixture::new("a: setup: npm ci | b: setup: [npm ci]");
    assert_eq!(world.up(), "setup npm ci");
    assert_eq!(world.set_up("npm ci", Ok(())), "launch a, launch b");
}

#[test]
fn a_step_that_fails_fails_its_service_until_it_is_started_again() {
    let mut world = Fixture::new("a: setup: make, restart: always");
    world.up();
    assert_eq!(world.set_up("make", Err("exited with 2")), "");
    assert_eq!(world.state("a"), "failed");
    assert!(world.world.status(0).stuck);
    assert_eq!(world.start(&["a"]), "setup make");
}

#[test]
fn a_restart_by_hand_looks_again_and_a_crash_does_not() {
    let mut world = Fixture::new("a: setup: make, restart: { policy: always, backoff: { jitter: none } }");
    world.up();
    world.set_up("make", Ok(()));
    world.launched("a");
    world.exited("a", 1);
    assert_eq!(world.pass(500), "launch a");
    world.launched("a");
    assert_eq!(world.restart(&["a"]), "signal a SIGTERM");
    assert_eq!(world.exited("a", 0), "setup make");
}

#[test]
fn a_stop_during_the_step_prevents_the_launch() {
    let mut world = Fixture::new("a: setup: make");
    world.up();
    world.stop(&["a"]);
    assert_eq!(world.set_up("make", Ok(())), "");
    assert_eq!(world.state("a"), "stopped");
}

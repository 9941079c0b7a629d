//! A changed manifest as a difference.

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
fn what_is_the_same_goes_on() {
    let mut world = running("a | b", &["a", "b"]);
    let life = world.life("b");
    assert_eq!(world.apply("b | a: restart: always"), "");
    assert_eq!(world.states(), "running running");
    // Reports of the old places find their way.
    world.tell(nagaya::supervise::Fact::Exited(
        life,
        nagaya::supervise::Exit::Code(1),
        nagaya::supervise::Left::Nothing,
    ));
    assert_eq!(world.states(), "failed running");
}

#[test]
fn what_changed_is_restarted_and_what_is_new_waits_to_be_wanted() {
    let mut world = running("a | b", &["a", "b"]);
    assert_eq!(world.apply("a: command: other | b | c"), "signal a SIGTERM");
    assert_eq!(world.exited("a", 0), "launch a");
    assert_eq!(world.state("c"), "stopped");
    assert_eq!(world.up(), "launch c");
}

#[test]
fn what_is_gone_is_stopped_and_then_forgotten() {
    let mut world = running("a: depends_on: b | b", &["b", "a"]);
    assert_eq!(world.apply("a"), "signal b SIGTERM");
    let place = world.place("b");
    assert!(!world.world.is_over(place));
    world.exited("b", 0);
    assert!(world.world.is_over(place));
    assert_eq!(world.state("a"), "running");
    // The next change does not bring it back.
    world.apply("a");
    assert_eq!(world.world.plan().services.len(), 1);
}

#[test]
fn a_stopped_service_stays_stopped_through_a_change() {
    let mut world = running("a", &["a"]);
    world.stop(&["a"]);
    world.exited("a", 0);
    assert_eq!(world.apply("a: command: other"), "");
    assert_eq!(world.state("a"), "stopped");
}

#[test]
fn a_setup_under_way_is_not_started_twice() {
    let mut world = Fixture::new("a: setup: make");
    world.up();
    assert_eq!(world.apply("b | a: setup: make"), "");
    assert_eq!(world.set_up("make", Ok(())), "launch a");
}

#[test]
fn what_has_ended_by_itself_runs_again_when_it_is_changed_and_only_then() {
    let mut world = running("done | failed: restart: no | nightly: schedule: '@daily'", &["done", "failed"]);
    world.exited("done", 0);
    world.exited("failed", 1);
    let nightly = "nightly: schedule: '@daily', command: other";
    assert_eq!(world.apply(&format!("done | failed: restart: no | new | {}", "nightly: schedule: '@daily'")), "");
    assert_eq!(world.states(), "completed failed stopped stopped");
    assert_eq!(
        world.apply(&format!("done: command: other | failed: restart: no, command: other | {nightly}")),
        "launch done, launch failed"
    );
}

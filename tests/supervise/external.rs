//! Services that live elsewhere: wanted or not, and never more than that.

use super::fixture::Fixture;

const PAY: &str = "web: depends_on: pay | pay: external: 'https://pay.example.com'";

#[test]
fn it_is_ready_as_soon_as_it_is_wanted_and_nothing_is_launched() {
    let mut world = Fixture::new(PAY);
    assert_eq!(world.state("pay"), "stopped");
    assert_eq!(world.up(), "launch web");
    assert_eq!(world.states(), "starting ready");
    let status = world.world.status(1);
    assert!(status.ready && status.settled && !status.stuck && status.pid.is_none(), "{status:?}");
    assert_eq!(world.world.take_events().iter().filter(|event| event.service == 1).count(), 1);
}

#[test]
fn it_is_stopped_and_started_by_hand() {
    let mut world = Fixture::new(PAY);
    world.up();
    world.launched("web");
    assert_eq!(world.stop(&["pay"]), "");
    assert_eq!(world.states(), "running stopped");
    // Who comes again has to wait for it.
    assert_eq!(world.restart(&["web"]), "signal web SIGTERM");
    assert_eq!(world.exited("web", 0), "");
    assert_eq!(world.state("web"), "waiting");
    assert!(world.world.status(0).stuck);
    assert_eq!(world.start(&["pay"]), "launch web");
    assert_eq!(world.state("pay"), "ready");
}

#[test]
fn it_may_be_called_until_its_callers_are_gone() {
    let mut world = Fixture::new(PAY);
    world.up();
    world.launched("web");
    assert_eq!(world.down(), "signal web SIGTERM");
    assert_eq!(world.states(), "stopping ready");
    world.exited("web", 0);
    assert_eq!(world.states(), "stopped stopped");
    assert!(world.world.is_quiet());
}

#[test]
fn it_keeps_nothing_from_ending() {
    let mut world = Fixture::new("pay: external: 'http://pay'");
    assert_eq!(world.up(), "");
    assert!(world.world.is_quiet());
    assert_eq!(world.next(), None);
    assert_eq!(world.kill(), "");
    assert_eq!(world.state("pay"), "stopped");
}

#[test]
fn a_process_that_moves_elsewhere_is_stopped_first_and_one_that_comes_home_is_started() {
    let mut world = Fixture::new("a");
    world.up();
    world.launched("a");
    assert_eq!(world.apply("a: external: 'http://a.example.com'"), "signal a SIGTERM");
    assert_eq!(world.exited("a", 143), "");
    assert_eq!(world.state("a"), "ready");
    // Another address is no other life.
    assert_eq!(world.apply("a: external: 'http://b.example.com'"), "");
    assert_eq!(world.state("a"), "ready");
    assert_eq!(world.apply("a"), "launch a");
}

#[test]
fn a_process_that_had_failed_is_no_failure_elsewhere() {
    let mut world = Fixture::new("a");
    world.up();
    world.launched("a");
    world.exited("a", 1);
    assert_eq!(world.state("a"), "failed");
    world.apply("a: external: 'http://a.example.com'");
    assert_eq!(world.state("a"), "ready");
}

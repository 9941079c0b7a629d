//! Whether a service has started, and whether it lives.

use nagaya::model::ProbeKind::{Liveness, Readiness, Startup};
use nagaya::supervise::{Command, Fact, Input, Left, Said};

use super::fixture::Fixture;

const SLOW: &str = "a: ports: 80, startup: { http: /s, failure_threshold: 2 }, readiness: /r, liveness: /l, \
    restart: { policy: on-failure, backoff: { base: 1s, jitter: none } } | b: depends_on: a";

/// A world in which `a` runs and has started.
fn started(services: &str) -> Fixture {
    let mut world = Fixture::new(services);
    world.up();
    world.launched("a");
    world.pass(10);
    world.answered("a", Startup, Ok(()));
    world
}

#[test]
fn nothing_else_is_asked_before_it_has_started() {
    let mut world = Fixture::new(SLOW);
    world.up();
    world.launched("a");
    assert_eq!(world.pass(10), "startup of a");
    world.answered("a", Startup, Err("GET /s answered 503"));
    assert_eq!((world.state("a"), world.pass(15)), ("starting", "startup of a".to_owned()));
    let why = world.world.why(0);
    assert_eq!((why.last_probe.as_deref(), why.tries), (Some("GET /s answered 503"), 1));
    assert_eq!(world.answered("a", Startup, Ok(())), "");
    assert_eq!((world.state("a"), world.world.why(0).last_probe), ("starting", None));
    assert_eq!(world.pass(10), "probe a");
    assert_eq!(world.probed("a", Ok(())), "launch b");
    // The first look at its liveness comes after a period, all others a period apart; startup is over.
    assert_eq!(world.pass(9990), "liveness of a");
    world.answered("a", Liveness, Ok(()));
    assert_eq!(world.pass(75), "probe a");
    world.probed("a", Ok(()));
    // What is asked equally often is asked together.
    assert_eq!(world.pass(9_999), "");
    assert_eq!(world.pass(1), "liveness of a, probe a");
    // What a startup probe says that was under way is of no interest any more.
    world.answered("a", Startup, Err("late"));
    assert_eq!(world.state("a"), "ready");
}

#[test]
fn one_that_takes_too_long_to_start_is_ended() {
    let mut world = Fixture::new(SLOW);
    world.up();
    world.launched("a");
    let mut tries = 0;
    while world.next().is_some_and(|next| next < 20_000) && tries < 1000 {
        let next = u64::try_from(world.next().unwrap()).unwrap();
        let effects = world.pass(next);
        if effects == "signal a SIGTERM" {
            break;
        }
        assert_eq!(effects, "startup of a");
        tries += 1;
        world.answered("a", Startup, Err("nothing listens"));
    }
    // Two periods of ten seconds, in which it is asked often.
    assert!((10..40).contains(&tries), "{tries}");
    assert_eq!(world.state("a"), "stopping");
    assert!(format!("{:?}", world.world.status(0).reason).contains("nothing listens"));
    assert_eq!(world.exited("a", 0), "");
    assert_eq!((world.state("a"), world.next()), ("backoff", Some(1000)));
    let exit = world.world.status(0).exit.unwrap().to_string();
    assert_eq!(exit, "was ended, as its startup probe failed: nothing listens");
    assert_eq!(world.pass(1000), "launch a");
    assert_eq!(world.world.status(0).restarts, 1);
}

#[test]
fn one_that_does_not_live_is_ended_and_its_policy_says_what_follows() {
    for (policy, state) in [("'no'", "failed"), ("on-failure", "backoff"), ("always", "backoff")] {
        let mut world =
            Fixture::new(&format!("a: liveness: {{ exec: check, failure_threshold: 2 }}, restart: {policy}"));
        world.up();
        world.launched("a");
        assert_eq!((world.state("a"), world.pass(10_000)), ("running", "liveness of a".to_owned()));
        world.answered("a", Liveness, Err("hangs"));
        // One failure in between is shown, and forgotten after a success.
        assert_eq!(world.state("a"), "running");
        assert!(format!("{:?}", world.world.status(0).reason).contains("ProbeFails(Liveness, \"hangs\", 1, 2)"));
        for result in [Ok(()), Err("hangs"), Err("hangs still")] {
            assert_eq!(world.pass(10_000), "liveness of a");
            let signalled = world.answered("a", Liveness, result);
            assert_eq!(signalled, if result == Err("hangs still") { "signal a SIGTERM" } else { "" });
        }
        // It may be deaf to that.
        assert_eq!(world.pass(10_000), "signal a SIGKILL");
        world.exited("a", 137);
        assert_eq!(world.state("a"), state, "{policy}");
        let exit = world.world.status(0).exit.unwrap().to_string();
        assert_eq!(exit, "was ended, as its liveness probe failed: hangs still");
    }
}

#[test]
fn a_stop_by_hand_outdoes_a_failed_probe_and_so_does_a_restart() {
    for by_hand in ["stop", "restart", "down"] {
        let mut world = started(SLOW);
        for _ in 0..3 {
            world.pass(10_000);
            world.answered("a", Liveness, Err("dead"));
            world.answered("a", Readiness, Ok(()));
        }
        assert_eq!(world.state("a"), "stopping");
        let (said, state) = match by_hand {
            "stop" => (world.stop(&["a"]), "stopped"),
            "restart" => (world.restart(&["a"]), "starting"),
            _ => (world.step(Input::Asked(Command::Down)), "stopped"),
        };
        assert!(!said.contains("signal a"), "it is on its way already: {said}");
        world.exited_leaving("a", 1, Left::Strays);
        world.gone("a");
        assert_eq!(world.state("a"), state, "{by_hand}");
    }
}

#[test]
fn an_engine_that_was_held_up_has_not_heard_all_yet() {
    let mut world = Fixture::new("a: liveness: { notify: true, period: 1s }, restart: always");
    world.up();
    world.launched("a");
    assert_eq!(world.pass(6000), "");
    assert_eq!(world.next(), Some(1000));
    assert_eq!(world.said("a", Said::Alive), "");
    assert_eq!(world.next(), Some(3000));
    assert_eq!(world.pass(4000), "");
    assert_eq!(world.pass(1000), "signal a SIGTERM", "there was no word");
}

#[test]
fn a_program_says_that_it_lives() {
    let mut world = Fixture::new("a: liveness: { notify: true, period: 5s }, restart: always");
    world.up();
    world.launched("a");
    for _ in 0..10 {
        world.pass(14_999);
        assert_eq!(world.said("a", Said::Alive), "");
    }
    assert_eq!((world.next(), world.pass(14_999)), (Some(15_000), String::new()));
    assert_eq!(world.pass(1), "signal a SIGTERM");
    assert!(format!("{:?}", world.world.status(0).reason).contains("has not said WATCHDOG=1 for 15s"));
    world.exited("a", 0);
    world.pass(60_000);
    world.launched("a");
    assert_eq!(world.said("a", Said::Dead), "signal a SIGTERM");
}

#[test]
fn a_line_and_a_word_show_that_it_has_started() {
    let mut world = Fixture::new(
        "a: startup: { log: up, failure_threshold: 3 }, readiness: { log: serving } | \
         b: startup: { notify: true }, readiness: { notify: true }",
    );
    world.up();
    // What comes before its turn is kept, also where the launcher has not spoken yet.
    world.logs("a", Readiness);
    world.launched("a");
    world.launched("b");
    assert_eq!((world.states().as_str(), world.next()), ("starting starting", Some(30_000)));
    world.logs("a", Startup);
    world.said("b", Said::Status("half".into()));
    assert_eq!(world.world.why(1).last_probe.as_deref(), Some("it says: half"));
    world.said("b", Said::Ready);
    assert_eq!((world.states().as_str(), world.next()), ("ready ready", None));
}

#[test]
fn listeners_are_looked_for_once_it_has_started() {
    let mut world = Fixture::new("a: ports: 80, startup: { exec: check }");
    world.up();
    world.launched("a");
    assert_eq!(world.pass(10), "startup of a");
    assert_eq!(world.answered("a", Startup, Ok(())), "");
    assert_eq!(world.pass(2), "sweep a");
    world.listens("a");
    assert_eq!(world.state("a"), "ready");
}

#[test]
fn another_probe_in_the_manifest_is_another_service_and_asks_the_old_one_nothing() {
    let mut world = started("a: ports: 80, startup: /s, readiness: /r, liveness: /l");
    world.pass(10);
    world.probed("a", Ok(()));
    assert_eq!(world.apply("a: ports: 80, startup: /s, readiness: /r, liveness: /other"), "signal a SIGTERM");
    let life = world.life("a");
    assert_eq!(world.tell(Fact::Probed(life, Liveness, Err("x".into()))), "");
    world.exited("a", 0);
    assert_eq!(world.state("a"), "starting");
}

//! When a service is ready, and when it no longer is.

use std::time::Duration;

use nagaya::model::ProbeKind;
use nagaya::supervise::{Fact, Said, Swept};

use super::fixture::Fixture;

#[test]
fn a_port_is_looked_for_quickly_and_then_not_at_all() {
    let mut world = Fixture::new("a: ports: 80");
    world.up();
    world.launched("a");
    assert_eq!(world.next(), Some(1));
    assert_eq!(world.pass(1), "sweep a");
    // One look at a time.
    assert_eq!(world.pass(100), "");
    assert_eq!(world.listens("a"), "");
    assert_eq!(world.state("a"), "ready");
    assert_eq!(world.next(), None);
}

#[test]
fn looks_get_rarer_as_a_service_takes_longer() {
    let mut world = Fixture::new("a: ports: 80");
    world.up();
    world.launched("a");
    let mut pauses = Vec::new();
    for _ in 0..200 {
        let pause = u64::try_from(world.next().unwrap()).unwrap();
        pauses.push(pause);
        assert_eq!(world.pass(pause), "sweep a");
        let finding = Swept { incarnation: world.life("a"), listening: false, finding: Some("not yet".into()) };
        world.tell(Fact::Swept(vec![finding], Duration::ZERO));
    }
    assert!(pauses.is_sorted() && pauses.first() == Some(&1) && pauses.last() == Some(&500), "{pauses:?}");
}

#[test]
fn a_look_that_takes_long_is_waited_for_without_a_deadline() {
    let mut world = Fixture::new("a: ports: 80 | b: ports: 81");
    world.start(&["a"]);
    world.launched("a");
    assert_eq!(world.pass(1), "sweep a");
    // Another that is to be looked at cannot be before that look is over.
    world.start(&["b"]);
    world.launched("b");
    assert_eq!((world.pass(100), world.next()), (String::new(), None));
    assert_eq!(world.listens("a"), "");
    assert_eq!((world.next(), world.pass(1)), (Some(1), "sweep b".to_owned()));
}

#[test]
fn one_that_takes_long_is_not_looked_at_with_each_that_has_just_started() {
    let mut world = Fixture::new("a: ports: 80 | b: ports: 81");
    world.start(&["a"]);
    world.launched("a");
    let nothing = |world: &mut Fixture, name: &str, rest| {
        let finding = Swept { incarnation: world.life(name), listening: false, finding: None };
        world.tell(Fact::Swept(vec![finding], Duration::from_millis(rest)));
    };
    assert_eq!(world.pass(1600), "sweep a");
    nothing(&mut world, "a", 0);
    world.start(&["b"]);
    world.launched("b");
    for _ in 0..15 {
        assert_eq!(world.pass(1), "sweep b");
        nothing(&mut world, "b", 0);
    }
    // And a look that took long is followed by a rest.
    assert_eq!(world.pass(100), "sweep a+b");
    nothing(&mut world, "b", 70);
    assert_eq!((world.next(), world.pass(69), world.pass(1)), (Some(70), String::new(), "sweep b".to_owned()));
}

#[test]
fn a_line_that_comes_before_the_launcher_has_spoken_counts() {
    let mut world = Fixture::new("a: readiness: { log: up }");
    world.up();
    world.logged("a");
    world.launched("a");
    assert_eq!(world.state("a"), "ready");
}

#[test]
fn a_service_says_itself_that_it_is_ready() {
    let mut world = Fixture::new("a: readiness: { notify: true } | b: depends_on: a");
    world.up();
    world.launched("a");
    assert_eq!((world.state("a"), world.next()), ("starting", None));
    world.said("a", Said::Status("reading the index".into()));
    assert_eq!(world.world.why(0).last_probe.as_deref(), Some("it says: reading the index"));
    assert_eq!(world.said("a", Said::Ready), "launch b");
    assert_eq!(world.state("a"), "ready");
    world.said("a", Said::Status("serving".into()));
    assert_eq!((world.state("a"), world.world.why(0).last_probe), ("ready", None));
    // Its word may be quicker than the launcher's, and one of an earlier life is nobody's.
    let first = world.life("a");
    world.restart(&["a"]);
    world.exited("a", 0);
    world.tell(Fact::Said(first, Said::Ready));
    world.said("a", Said::Status("early".into()));
    world.launched("a");
    assert_eq!(world.world.why(0).last_probe.as_deref(), Some("it says: early"));
    world.restart(&["a"]);
    world.exited("a", 0);
    world.said("a", Said::Ready);
    world.launched("a");
    assert_eq!(world.state("a"), "ready");
}

#[test]
fn a_probe_runs_fast_then_at_its_period_then_quietly() {
    let mut world = Fixture::new("a: ports: 80, readiness: { http: /h, failure_threshold: 2 }");
    world.up();
    world.launched("a");
    assert_eq!(world.pass(10), "probe a");
    world.probed("a", Err("refused"));
    assert_eq!(world.next(), Some(5));
    for _ in 0..40 {
        world.pass(2000);
        world.probed("a", Err("refused"));
    }
    assert_eq!(world.next(), Some(2000));
    assert_eq!(world.world.why(0).last_probe.as_deref(), Some("refused"));
    world.pass(2000);
    world.probed("a", Ok(()));
    // At a full tenth of a second, as all others that are asked every ten.
    assert_eq!((world.state("a"), world.next()), ("ready", Some(10_090)));
    // One failure is an accident, two are a state; recovery is seen at once.
    world.pass(10_090);
    world.probed("a", Err("500"));
    assert_eq!((world.state("a"), world.next()), ("ready", Some(2000)));
    world.pass(2000);
    world.probed("a", Err("500"));
    assert_eq!(world.state("a"), "unhealthy");
    world.pass(2000);
    world.probed("a", Ok(()));
    assert_eq!(world.state("a"), "ready");
}

#[test]
fn successes_can_be_asked_for_in_a_row() {
    let mut world = Fixture::new("a: ports: 80, readiness: { http: /h, success_threshold: 2 }");
    world.up();
    world.launched("a");
    for (result, state) in [(Ok(()), "starting"), (Err("x"), "starting"), (Ok(()), "starting"), (Ok(()), "ready")] {
        world.pass(2000);
        world.probed("a", result);
        assert_eq!(world.state("a"), state);
    }
}

#[test]
fn news_of_a_dead_process_is_no_news_of_the_next() {
    let mut world = Fixture::new("a: ports: 80, readiness: /h, restart: always");
    world.up();
    world.launched("a");
    world.pass(10);
    let first = world.life("a");
    world.exited("a", 1);
    world.pass(1000);
    world.launched("a");
    assert_ne!(first, world.life("a"));
    world.tell(Fact::Probed(first, ProbeKind::Readiness, Ok(())));
    world.tell(Fact::Gone(first));
    assert_eq!(world.state("a"), "starting");
}

#[test]
fn an_image_with_a_check_is_ready_when_that_says_so() {
    for own in ["a", "a: ports: 80"] {
        let mut world = Fixture::new(&format!("{own} | b: depends_on: a"));
        world.up();
        world.has_check("a");
        world.launched("a");
        assert_eq!(world.state("a"), "starting", "{own}");
        // Whether it listens is not looked at.
        assert_eq!(world.pass(60_000), "", "{own}");
        world.judged("a", Err("no database"));
        assert_eq!(world.state("a"), "starting");
        assert_eq!(world.judged("a", Ok(())), "launch b");
        assert_eq!(world.state("a"), "ready");
        world.judged("a", Err("no database"));
        assert_eq!(world.state("a"), "unhealthy");
        world.judged("a", Ok(()));
        assert_eq!(world.state("a"), "ready");
        // A word about a life that is over counts for nothing.
        world.exited("a", 1);
        assert_eq!(world.state("a"), "failed");
    }
    // What the manifest asks for is asked all the same.
    let mut world = Fixture::new("a: readiness: { tcp: 80 }");
    world.up();
    world.has_check("a");
    world.launched("a");
    world.judged("a", Ok(()));
    assert_eq!(world.state("a"), "starting");
    assert_eq!(world.pass(60_000), "probe a");
}

//! Several instances of one service: how many there are, and how one takes the place of another.

use std::time::Duration;

use nagaya::supervise::{Left, Reason, State};

use super::fixture::Fixture;

const ROLLING: &str = "a: ports: 80, strategy: rolling";

/// Starts what the manifest has; `names` are launched and listen.
fn serving(services: &str, names: &[&str]) -> Fixture {
    let mut world = Fixture::new(services);
    world.up();
    for name in names {
        world.launched(name);
        world.listens(name);
    }
    world
}

#[test]
fn as_many_run_as_are_wanted() {
    let mut world = Fixture::new("a: replicas: 3 | b: depends_on: a");
    assert_eq!(world.up(), "launch a, launch a#2, launch a#3");
    // One that is there is enough for others.
    assert_eq!(world.launched("a#2"), "launch b");
    assert_eq!(world.instances("a"), "1 starting, 2 running, 3 starting");
    assert_eq!((world.state("a"), world.endpoints("a")), ("running", vec![2]));
    for name in ["a", "a#3", "b"] {
        world.launched(name);
    }
    assert_eq!(world.stop(&["a", "b"]), "signal b SIGTERM");
    assert_eq!(world.exited("b", 0), "signal a SIGTERM, signal a#2 SIGTERM, signal a#3 SIGTERM");
    world.exited("a", 0);
    assert_eq!((world.state("a"), world.world.is_quiet()), ("stopping", false));
    for name in ["a#2", "a#3"] {
        world.exited(name, 0);
    }
    assert_eq!((world.state("a"), world.world.is_quiet()), ("stopped", true));
    assert_eq!(world.start(&["a"]), "launch a, launch a#2, launch a#3");
}

#[test]
fn each_ends_and_starts_again_by_itself() {
    let mut world = serving("a: replicas: 2, restart: { policy: always, backoff: { base: 1s, jitter: none } }", &[]);
    for name in ["a", "a#2"] {
        world.launched(name);
    }
    world.exited("a#2", 1);
    assert_eq!(world.instances("a"), "1 running, 2 backoff");
    assert_eq!((world.state("a"), world.next()), ("running", Some(1000)));
    world.pass(500);
    world.exited("a", 1);
    assert_eq!((world.state("a"), world.next()), ("backoff", Some(500)));
    assert_eq!(world.pass(500), "launch a#2");
    assert_eq!(world.next(), Some(500));
    assert_eq!(world.pass(500), "launch a");
    let restarts: Vec<u32> = world.world.statuses(0).map(|status| status.restarts).collect();
    assert_eq!(restarts, [1, 1]);
}

#[test]
fn a_job_is_done_when_all_of_it_is() {
    let mut world = Fixture::new("job: replicas: 2 | b: depends_on: { job: completed }");
    world.up();
    for name in ["job", "job#2"] {
        world.launched(name);
    }
    assert_eq!(world.exited("job", 0), "");
    assert_eq!(world.state("b"), "waiting");
    assert_eq!(world.exited("job#2", 0), "launch b");
    assert_eq!(world.state("job"), "completed");
    // What is done is not done again.
    assert_eq!(world.up(), "");
}

#[test]
fn one_of_several_that_failed_dooms_nobody_while_another_may_come() {
    let mut world = Fixture::new("a: replicas: 2, readiness: /h, ports: 80 | b: depends_on: a");
    world.up();
    for name in ["a", "a#2"] {
        world.launched(name);
    }
    world.exited("a", 1);
    assert!(!world.world.status(1).stuck);
    assert_eq!(world.state("a"), "starting");
    world.exited("a#2", 1);
    assert!(world.world.status(1).stuck);
    assert_eq!(world.state("a"), "failed");
    // `up` tries those again that failed.
    assert_eq!(world.up(), "launch a, launch a#2");
}

#[test]
fn more_are_added_and_those_that_are_too_many_answer_what_they_were_asked() {
    let mut world = serving("a: ports: 80", &["a"]);
    assert_eq!(world.apply("a: ports: 80, replicas: 3"), "launch a#2, launch a#3");
    for name in ["a#2", "a#3"] {
        world.launched(name);
        world.listens(name);
    }
    assert_eq!(world.endpoints("a"), [1, 2, 3]);
    // The last one is not there yet, so it goes first.
    assert_eq!(world.apply("a: ports: 80, replicas: 4"), "launch a#4");
    world.launched("a#4");
    assert_eq!(world.apply("a: ports: 80, replicas: 2"), "signal a#4 SIGTERM");
    assert_eq!(world.endpoints("a"), [1, 2]);
    assert_eq!(world.instances("a"), "1 ready, 2 ready, 3 stopping, 4 stopping");
    world.exited("a#4", 0);
    assert_eq!(world.drained("a#3"), "signal a#3 SIGTERM");
    world.exited("a#3", 0);
    assert_eq!(world.instances("a"), "1 ready, 2 ready");
}

#[test]
fn what_does_not_end_its_answers_is_cut_off() {
    let mut world = serving("a: ports: 80, replicas: 2, stop_grace_period: 3s", &["a", "a#2"]);
    assert_eq!(world.apply("a: ports: 80, stop_grace_period: 3s"), "");
    assert_eq!(world.next(), Some(3000));
    assert_eq!(world.pass(3000), "signal a#2 SIGTERM");
    assert_eq!(world.pass(3000), "signal a#2 SIGKILL");
    world.exited("a#2", 137);
    assert_eq!(world.instances("a"), "1 ready");
}

#[test]
fn a_new_one_is_ready_before_the_old_one_gets_no_more() {
    let mut world = serving(ROLLING, &["a"]);
    assert_eq!(world.replace(&["a"]), "launch a#2");
    world.launched("a#2");
    assert_eq!((world.instances("a").as_str(), world.endpoints("a")), ("1 ready, 2 starting", vec![1]));
    assert_eq!(world.listens("a#2"), "");
    assert_eq!((world.instances("a").as_str(), world.endpoints("a")), ("1 stopping, 2 ready", vec![2]));
    assert_eq!(world.world.statuses(0).next().unwrap().reason, Some(Reason::Drains));
    assert_eq!(world.drained("a"), "signal a SIGTERM");
    // A second word of the same changes nothing.
    assert_eq!(world.drained("a"), "");
    assert_eq!(world.exited("a", 0), "");
    assert_eq!(world.instances("a"), "2 ready");
    // The number is free again.
    assert_eq!(world.replace(&["a"]), "launch a");
    assert_eq!(world.world.status(0).restarts, 0);
}

#[test]
fn the_old_one_serves_on_while_the_new_one_does_not_come() {
    let mut world = serving(&format!("{ROLLING}, restart: {{ policy: on-failure, max: 1 }}"), &["a"]);
    world.replace(&["a"]);
    world.launched("a#2");
    assert_eq!(world.pass(60_000), "sweep a");
    let reason = world.world.status(0).reason;
    assert_eq!(reason, Some(Reason::ServesUntil(2, State::Starting, None)));
    world.exited("a#2", 1);
    assert_eq!(world.instances("a"), "1 ready, 2 backoff");
    world.pass(1000);
    world.launched("a#2");
    world.exited("a#2", 1);
    assert_eq!((world.instances("a").as_str(), world.endpoints("a")), ("1 ready, 2 failed", vec![1]));
    let why = world.world.why(0);
    assert!(matches!(why.status.reason, Some(Reason::ServesUntil(2, State::Failed, Some(_)))), "{why:?}");
    // Another try takes the place of the one that failed.
    assert_eq!(world.replace(&["a"]), "launch a#2");
    world.launched("a#2");
    world.listens("a#2");
    assert_eq!(world.drained("a"), "signal a SIGTERM");
}

#[test]
fn a_later_change_supersedes_one_that_is_not_through() {
    let mut world = serving(ROLLING, &["a"]);
    world.replace(&["a"]);
    // It has not even started: it is stopped as soon as it has, and another comes.
    assert_eq!(world.replace(&["a"]), "");
    assert_eq!(world.launched("a#2"), "signal a#2 SIGTERM");
    assert_eq!(world.exited("a#2", 0), "launch a#2");
    world.launched("a#2");
    assert_eq!(world.replace(&["a"]), "signal a#2 SIGTERM");
    assert_eq!(world.endpoints("a"), [1]);
    world.exited("a#2", 0);
    world.launched("a#2");
    world.listens("a#2");
    // The first still answers what it was asked; that keeps nobody from coming.
    assert_eq!(world.replace(&["a"]), "launch a#3");
    world.launched("a#3");
    world.listens("a#3");
    assert_eq!(world.instances("a"), "1 stopping, 2 stopping, 3 ready");
    // Until there is no room for more: then the one that has taken longest is stopped.
    assert_eq!(world.replace(&["a"]), "signal a SIGTERM");
    assert_eq!(world.exited("a", 0), "launch a");
}

#[test]
fn several_are_replaced_one_after_the_other_and_never_one_too_few_serves() {
    let mut world = serving(&format!("{ROLLING}, replicas: 2"), &["a", "a#2"]);
    assert_eq!(world.replace(&["a"]), "launch a#3");
    world.launched("a#3");
    assert_eq!(world.listens("a#3"), "launch a#4");
    assert_eq!(world.endpoints("a"), [2, 3]);
    world.drained("a");
    world.exited("a", 0);
    world.launched("a#4");
    assert_eq!(world.listens("a#4"), "");
    assert_eq!(world.endpoints("a"), [3, 4]);
    world.drained("a#2");
    world.exited("a#2", 0);
    assert_eq!(world.instances("a"), "3 ready, 4 ready");
}

#[test]
fn what_serves_nobody_is_started_again_at_once() {
    let mut world = Fixture::new(ROLLING);
    world.up();
    world.launched("a");
    assert_eq!(world.replace(&["a"]), "signal a SIGTERM");
    assert_eq!(world.exited("a", 0), "launch a");
    assert_eq!(world.instances("a"), "1 starting");
    // A service that must not be there twice is gone before it comes again.
    let mut world = serving("a: ports: 80, stateful: true", &["a"]);
    assert_eq!(world.replace(&["a"]), "signal a SIGTERM");
    assert_eq!(world.exited("a", 0), "launch a");
}

#[test]
fn an_old_one_that_ends_meanwhile_comes_back_as_a_new_one() {
    let mut world = serving(&format!("{ROLLING}, restart: always"), &["a"]);
    world.replace(&["a"]);
    world.launched("a#2");
    world.exited("a", 1);
    // There is nothing left to replace, and it is the one that is there that stays.
    assert_eq!(world.instances("a"), "2 starting");
    world.listens("a#2");
    assert_eq!((world.endpoints("a"), world.next()), (vec![2], None));
}

#[test]
fn a_stop_of_all_waits_for_no_answers() {
    let mut world = serving(ROLLING, &["a"]);
    world.replace(&["a"]);
    world.launched("a#2");
    world.listens("a#2");
    assert_eq!(world.down(), "signal a SIGTERM, signal a#2 SIGTERM");
    world.exited("a#2", 0);
    assert!(!world.world.is_quiet());
    world.exited("a", 0);
    assert_eq!((world.instances("a").as_str(), world.world.is_quiet()), ("2 stopped", true));
    let mut world = serving(ROLLING, &["a"]);
    world.replace(&["a"]);
    world.launched("a#2");
    world.listens("a#2");
    assert_eq!(world.kill(), "signal a SIGKILL, signal a#2 SIGKILL");
}

#[test]
fn what_drains_may_end_by_itself_and_leave_others() {
    let mut world = serving(&format!("{ROLLING}, restart: always"), &["a"]);
    world.replace(&["a"]);
    world.launched("a#2");
    world.listens("a#2");
    assert_eq!(world.exited_leaving("a", 0, Left::Strays), "signal a SIGKILL");
    assert_eq!(world.gone("a"), "");
    assert_eq!(world.instances("a"), "2 ready");
    let startups: Vec<Option<Duration>> = world.world.statuses(0).map(|status| status.startup).collect();
    assert_eq!(startups, [Some(Duration::ZERO)]);
}

#[test]
fn a_number_that_has_no_place_any_more_is_given_up() {
    let mut world = serving(ROLLING, &["a"]);
    world.replace(&["a"]);
    world.launched("a#2");
    world.listens("a#2");
    world.drained("a");
    world.exited("a", 0);
    assert_eq!(world.instances("a"), "2 ready");
    // There may be one only from now on; what runs is left alone.
    assert_eq!(world.apply("a: ports: 80, strategy: recreate"), "");
    assert_eq!(world.instances("a"), "2 ready");
    assert_eq!(world.replace(&["a"]), "signal a#2 SIGTERM");
    assert_eq!(world.exited("a#2", 0), "launch a");
}

#[test]
fn a_change_that_callers_do_not_see_is_a_replacement_and_one_that_they_see_is_none() {
    let mut world = serving(ROLLING, &["a"]);
    assert_eq!(world.apply(&format!("{ROLLING}, command: other, readiness: /h")), "launch a#2");
    // The old one does not know the new probe.
    world.pass(60_000);
    assert_eq!(world.endpoints("a"), [1]);
    world.launched("a#2");
    assert_eq!(world.pass(10), "probe a");
    world.probed("a#2", Ok(()));
    assert_eq!(world.endpoints("a"), [2]);
    world.drained("a");
    world.exited("a", 0);
    assert_eq!(world.apply("a: ports: 81, strategy: rolling"), "signal a#2 SIGTERM");
    assert_eq!(world.exited("a#2", 0), "launch a#2");
}

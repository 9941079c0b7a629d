//! What happens when a service ends by itself.

use nagaya::supervise::{Fact, Left};

use super::fixture::Fixture;

/// Lets a service crash at once; its next start is due in so many milliseconds.
fn crash(world: &mut Fixture, name: &str) -> Option<u128> {
    world.launched(name);
    world.exited(name, 1);
    world.next()
}

#[test]
fn the_policy_decides() {
    let cases = [
        ("restart: 'no'", 0, "completed"),
        ("restart: 'no'", 1, "failed"),
        ("restart: on-failure", 0, "completed"),
        ("restart: on-failure", 1, "backoff"),
        ("restart: always", 0, "backoff"),
        ("restart: unless-stopped", 1, "backoff"),
    ];
    for (policy, code, state) in cases {
        let mut world = Fixture::new(&format!("a: {policy}"));
        world.up();
        world.launched("a");
        world.exited("a", code);
        assert_eq!(world.state("a"), state, "{policy} {code}");
        assert_eq!(world.world.status(0).exit.unwrap().code(), Some(code));
    }
}

#[test]
fn delays_double_up_to_their_limit_and_start_over_after_a_good_run() {
    let mut world =
        Fixture::new("a: restart: { policy: always, backoff: { base: 1s, max: 5s, jitter: none }, reset: 1m }");
    world.up();
    let mut delays = Vec::new();
    for _ in 0..5 {
        let delay = crash(&mut world, "a").unwrap();
        delays.push(delay);
        assert_eq!(world.pass(u64::try_from(delay).unwrap()), "launch a");
    }
    assert_eq!(delays, [1000, 2000, 4000, 5000, 5000]);
    assert_eq!(world.world.status(0).restarts, 5);
    world.launched("a");
    world.pass(60_000);
    world.exited("a", 1);
    assert_eq!(world.next(), Some(1000));
}

#[test]
fn it_gives_up_after_so_many_in_a_row() {
    let mut world = Fixture::new("a: restart: { policy: on-failure, max: 2, backoff: { jitter: none } }");
    world.up();
    for _ in 0..2 {
        let delay = crash(&mut world, "a").unwrap();
        world.pass(u64::try_from(delay).unwrap());
    }
    assert_eq!(crash(&mut world, "a"), None);
    assert_eq!(world.state("a"), "failed");
    assert!(format!("{:?}", world.world.status(0).reason).contains("GaveUp"));
    // By hand it starts over.
    assert_eq!(world.start(&["a"]), "launch a");
}

#[test]
fn jitter_stays_within_half_and_whole() {
    let mut world = Fixture::new("a: restart: { policy: always, backoff: { base: 1s, max: 1s } }");
    world.up();
    for _ in 0..50 {
        let delay = crash(&mut world, "a").unwrap();
        assert!((500..=1000).contains(&delay), "{delay}");
        world.pass(u64::try_from(delay).unwrap());
    }
}

#[test]
fn what_it_leaves_behind_is_removed_before_it_starts_again() {
    let mut world = Fixture::new("a: restart: { policy: always, backoff: { base: 1s, jitter: none } }");
    world.up();
    world.launched("a");
    assert_eq!(world.exited_leaving("a", 1, Left::Strays), "signal a SIGKILL");
    assert_eq!(world.state("a"), "stopping");
    assert_eq!(world.gone("a"), "");
    assert_eq!((world.state("a"), world.next()), ("backoff", Some(1000)));
}

#[test]
fn a_program_that_goes_into_the_background_is_running() {
    let mut world = Fixture::new("a: ports: 80");
    world.up();
    world.launched("a");
    world.listens("a");
    assert_eq!(world.exited_leaving("a", 0, Left::Listeners), "");
    assert_eq!(world.state("a"), "ready");
    assert_eq!(world.world.status(0).pid, None);
    assert_eq!(world.stop(&["a"]), "signal a SIGTERM");
    world.gone("a");
    assert_eq!(world.state("a"), "stopped");
}

#[test]
fn a_program_that_goes_into_the_background_before_it_listens_is_waited_for() {
    let mut world = Fixture::new("a: ports: 80 | b | c: ports: 80");
    world.up();
    for name in ["a", "b", "c"] {
        world.launched(name);
    }
    assert_eq!(world.exited_leaving("a", 0, Left::Strays), "");
    assert_eq!((world.state("a"), world.world.status(0).pid), ("starting", None));
    world.listens("a");
    assert_eq!(world.state("a"), "ready");
    // Who has no ports, and who says that something went wrong, has only left something behind.
    assert_eq!(world.exited_leaving("b", 0, Left::Strays), "signal b SIGKILL");
    assert_eq!(world.exited_leaving("c", 1, Left::Strays), "signal c SIGKILL");
}

#[test]
fn a_background_program_that_vanishes_has_failed() {
    let mut world = Fixture::new("a: ports: 80, restart: on-failure");
    world.up();
    world.launched("a");
    world.exited_leaving("a", 0, Left::Listeners);
    world.gone("a");
    assert_eq!(world.state("a"), "backoff");
}

#[test]
fn a_program_that_cannot_be_started_has_failed() {
    let mut world = Fixture::new("a: restart: { policy: on-failure, max: 1, backoff: { jitter: none } }");
    world.up();
    let life = world.life("a");
    world.tell(Fact::NotLaunched(life, "no such thing".into()));
    assert_eq!(world.state("a"), "backoff");
    world.pass(500);
    let life = world.life("a");
    world.tell(Fact::NotLaunched(life, "no such thing".into()));
    assert_eq!(world.state("a"), "failed");
}

#[test]
fn a_restart_while_it_waits_or_starts_does_not_double_it() {
    let mut world = Fixture::new("a: restart: always");
    world.up();
    // The launcher has not answered yet.
    assert_eq!(world.restart(&["a"]), "");
    assert_eq!(world.launched("a"), "signal a SIGTERM");
    assert_eq!(world.restart(&["a"]), "");
    assert_eq!(world.exited("a", 0), "launch a");
    world.launched("a");
    world.exited("a", 1);
    assert_eq!(world.state("a"), "backoff");
    assert_eq!(world.restart(&["a"]), "launch a");
    assert_eq!(world.pass(60_000), "");
    // A restart by hand is not counted as one by itself.
    assert_eq!(world.world.status(0).restarts, 0);
}

#[test]
fn an_end_that_is_told_before_the_beginning_is_an_end() {
    // The launcher was lost in between.
    for (policy, state) in [("restart: 'no'", "failed"), ("restart: always", "backoff")] {
        let mut world = Fixture::new(&format!("a: {policy}"));
        world.up();
        world.exited("a", 137);
        assert_eq!(world.state("a"), state);
    }
    let mut world = Fixture::new("a: restart: always");
    world.up();
    world.down();
    world.exited("a", 137);
    assert_eq!(world.state("a"), "stopped");
}

#[test]
fn a_crash_loop_is_counted_until_it_is_over() {
    let mut world =
        Fixture::new("a: restart: { policy: always, backoff: { base: 1s, max: 8s, jitter: none }, reset: 1m }");
    world.up();
    for crashes in 1..=3 {
        let delay = crash(&mut world, "a").unwrap();
        let status = world.world.status(0);
        assert_eq!((status.crashes, status.next_start.is_some()), (crashes, true));
        world.pass(u64::try_from(delay).unwrap());
    }
    // It is in the loop still while it runs, and in none once it has run for long enough; nothing else comes of that.
    world.launched("a");
    let status = world.world.status(0);
    assert_eq!((status.crashes, status.next_start, world.next()), (3, None, Some(60_000)));
    assert_eq!((world.pass(60_000), world.world.status(0).crashes, world.next()), (String::new(), 0, None));
    assert_eq!(world.world.status(0).restarts, 3);
    assert_eq!(crash(&mut world, "a"), Some(1000));
}

#[test]
fn a_start_by_hand_begins_anew_and_at_once() {
    for by_hand in ["start", "restart"] {
        let mut world = Fixture::new("a: restart: { policy: always, backoff: { base: 1s, max: 1m, jitter: none } }");
        world.up();
        for _ in 0..4 {
            let delay = crash(&mut world, "a").unwrap();
            world.pass(u64::try_from(delay).unwrap());
        }
        assert_eq!(crash(&mut world, "a"), Some(16_000));
        let launched = if by_hand == "start" { world.start(&["a"]) } else { world.restart(&["a"]) };
        assert_eq!((launched.as_str(), world.world.status(0).crashes), ("launch a", 0));
        assert_eq!(crash(&mut world, "a"), Some(1000), "{by_hand}");
    }
}

/// The files that it depends on may be others by now.
#[test]
fn a_kept_result_is_looked_for_again_by_who_starts() {
    let tasks = "tasks: { gen: { command: run, inputs: [], outputs: [] } }";
    let mut world = Fixture::new(&format!("{tasks} || app: depends_on: {{ gen: completed }}"));
    assert_eq!(world.up(), "launch gen");
    world.launched("gen");
    assert_eq!(world.exited("gen", 0), "launch app");
    world.launched("app");
    assert_eq!(world.up(), "", "who runs has what it needs");
    world.stop(&["app"]);
    world.exited("app", 0);
    assert_eq!(world.start(&["app"]), "launch gen");
    world.launched("gen");
    assert_eq!(world.exited("gen", 0), "launch app");
    world.launched("app");
    assert_eq!(world.restart(&["app"]), "launch gen, signal app SIGTERM");
    world.exited("app", 0);
    world.launched("gen");
    assert_eq!(world.exited("gen", 0), "launch app");
}

/// What was made between two of them is of the first as it was; what comes before the first is as it is.
#[test]
fn what_comes_behind_a_result_that_is_looked_for_is_made_again() {
    let kept = "inputs: [], outputs: []";
    let tasks = format!(
        "tasks: {{ before: {{ command: run }}, first: {{ command: run, {kept}, depends_on: [before] }}, middle: {{ command: run, depends_on: [first] }}, last: {{ command: run, {kept}, depends_on: [middle] }} }}"
    );
    let mut world = Fixture::new(&format!("{tasks} || app: depends_on: {{ last: completed }}"));
    assert_eq!(world.up(), "launch before");
    let make = |world: &mut Fixture, steps: &[(&str, &str)]| {
        for (name, next) in steps {
            world.launched(name);
            assert_eq!(world.exited(name, 0), *next);
        }
        world.launched("app");
    };
    let behind = [("first", "launch middle"), ("middle", "launch last"), ("last", "launch app")];
    make(&mut world, &[&[("before", "launch first")][..], &behind].concat());
    world.stop(&["app"]);
    world.exited("app", 0);
    assert_eq!(world.start(&["app"]), "launch first");
    make(&mut world, &behind);
    // Whoever starts the last one gets it of what is there now too.
    assert_eq!(world.start(&["last"]), "launch first");
}

/// All who wait know that they wait in vain, by however many others.
#[test]
fn a_failure_is_seen_by_all_who_wait_for_it() {
    let tasks = "tasks: { one: { command: run }, two: { command: run, depends_on: [one] } }";
    let mut world = Fixture::new(&format!("{tasks} || app: depends_on: {{ two: completed }} | web: depends_on: [app]"));
    assert_eq!(world.up(), "launch one");
    world.launched("one");
    world.world.take_changed();
    world.exited("one", 1);
    let changed = world.world.take_changed();
    let stuck: Vec<bool> = changed.iter().map(|service| world.world.status(*service).stuck).collect();
    assert_eq!(stuck, [true; 4], "{changed:?}");
}

#[test]
fn a_task_that_failed_is_tried_again_for_who_starts() {
    let mut world = Fixture::new("tasks: { gen: { command: run } } || app: depends_on: { gen: completed }");
    assert_eq!(world.up(), "launch gen");
    world.launched("gen");
    assert_eq!(world.exited("gen", 1), "");
    assert_eq!(world.restart(&["app"]), "launch gen");
    world.launched("gen");
    assert_eq!(world.exited("gen", 0), "launch app");
    world.launched("app");
    // What it has made without keeping it is made once.
    assert_eq!(world.restart(&["app"]), "signal app SIGTERM");
}

#[test]
fn a_task_that_is_started_looks_for_what_it_needs_too() {
    let kept = "inputs: [], outputs: []";
    let tasks =
        format!("tasks: {{ one: {{ command: run, {kept} }}, two: {{ command: run, {kept}, depends_on: [one] }} }}");
    let mut world = Fixture::new(&format!("{tasks} || app: depends_on: {{ two: completed }}"));
    world.up();
    world.launched("one");
    world.exited("one", 0);
    world.launched("two");
    world.exited("two", 0);
    assert_eq!(world.start(&["two"]), "launch one");
    world.launched("one");
    assert_eq!(world.exited("one", 0), "launch two");
}

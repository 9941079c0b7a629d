//! Who starts when.

use super::fixture::Fixture;

#[test]
fn everything_that_can_start_starts_at_once() {
    let mut world = Fixture::new("a: depends_on: [b, c] | b: depends_on: d | c: depends_on: d | d | e");
    assert_eq!(world.up(), "launch d, launch e");
    assert_eq!(world.states(), "waiting waiting waiting starting starting");
    assert_eq!(world.launched("d"), "launch b, launch c");
    assert_eq!(world.launched("b"), "");
    assert_eq!(world.launched("c"), "launch a");
    world.launched("e");
    world.launched("a");
    assert_eq!(world.states(), "running running running running running");
}

#[test]
fn each_condition_waits_for_its_own_thing() {
    let mut world = Fixture::new(
        "started: depends_on: { db: started } | ready: depends_on: { db: ready } | done: depends_on: { job: completed } \
         | logged: depends_on: { log: log_ready } | db: ports: 80 | job | log: readiness: { log: up }",
    );
    assert_eq!(world.up(), "launch db, launch job, launch log");
    assert_eq!(world.launched("db"), "launch started");
    assert_eq!(world.listens("db"), "launch ready");
    assert_eq!(world.launched("job"), "");
    assert_eq!(world.exited("job", 0), "launch done");
    assert_eq!(world.launched("log"), "");
    assert_eq!(world.logged("log"), "launch logged");
}

#[test]
fn a_job_that_fails_blocks_its_dependents_and_says_so() {
    let mut world = Fixture::new("a: depends_on: b | b: depends_on: { job: completed } | job");
    world.up();
    world.launched("job");
    assert_eq!(world.exited("job", 1), "");
    assert_eq!(world.states(), "waiting waiting failed");
    let status = world.world.status(0);
    assert!(status.stuck, "{status:?}");
    let why = world.world.why(0);
    let chain: Vec<usize> = why.blockers.iter().map(|blocker| blocker.service).collect();
    assert_eq!(chain, [1, 2]);
    // Started again by hand, it lets them through.
    assert_eq!(world.start(&["job"]), "launch job");
    assert!(!world.world.status(0).stuck);
    world.launched("job");
    assert_eq!(world.exited("job", 0), "launch b");
}

#[test]
fn a_finished_job_counts_as_started() {
    let mut world = Fixture::new("a: depends_on: job | job");
    world.up();
    assert_eq!(world.launched("job"), "launch a");
    world.exited("job", 0);
    world.launched("a");
    // When `a` comes again, the job is still done.
    assert_eq!(world.restart(&["a"]), "signal a SIGTERM");
    assert_eq!(world.exited("a", 0), "launch a");
}

#[test]
fn a_second_up_starts_only_what_is_missing() {
    let mut world = Fixture::new("a | b | job");
    world.up();
    for name in ["a", "b", "job"] {
        world.launched(name);
    }
    world.exited("job", 0);
    world.exited("b", 1);
    assert_eq!(world.states(), "running failed completed");
    assert_eq!(world.up(), "launch b");
}

#[test]
fn a_lazy_service_starts_with_what_it_needs_when_it_is_called() {
    let mut world =
        Fixture::new("web: depends_on: lazy | lazy: lazy: true, ports: 80, depends_on: db | db: profiles: x");
    assert_eq!(world.up(), "launch db, launch web");
    assert_eq!(world.state("lazy"), "idle");
    world.launched("db");
    assert_eq!(world.wake("lazy"), "launch lazy");
    assert_eq!(world.wake("lazy"), "");
    world.launched("lazy");
    world.listens("lazy");
    assert_eq!(world.state("lazy"), "ready");
    // Asked for again as idle, it stays up.
    assert_eq!(world.up(), "");
    assert_eq!(world.state("lazy"), "ready");
}

#[test]
fn a_chain_of_fifty_starts_link_by_link() {
    let chain: Vec<String> =
        (0..50).map(|n| if n == 49 { "s49".into() } else { format!("s{n}: depends_on: s{}", n + 1) }).collect();
    let mut world = Fixture::new(&chain.join(" | "));
    assert_eq!(world.up(), "launch s49");
    for n in (1..50).rev() {
        assert_eq!(world.launched(&format!("s{n}")), format!("launch s{}", n - 1));
    }
}

#[test]
fn a_fan_starts_in_one_step() {
    let fan: Vec<String> = (0..500).map(|n| format!("s{n}: depends_on: hub")).chain(["hub".to_owned()]).collect();
    let mut world = Fixture::new(&fan.join(" | "));
    world.up();
    assert_eq!(world.launched("hub").matches("launch").count(), 500);
}

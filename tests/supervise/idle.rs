//! Services that stop when nobody calls them, and instances that grow old.

use nagaya::supervise::{Demand, Fact};

use super::fixture::Fixture;

const LAZY: &str = "a: lazy: true, idle_timeout: 4s, ports: 80, strategy: recreate";

impl Fixture {
    /// Answers a look at the calls to a service.
    fn measured(&mut self, name: &str, under_way: u32, begun: u64) -> String {
        let life = self.life(name);
        self.tell(Fact::Measured(life, Demand { under_way, begun, last: 0 }))
    }
}

fn woken() -> Fixture {
    let mut world = Fixture::new(LAZY);
    assert_eq!(world.up(), "");
    assert_eq!(world.wake("a"), "launch a");
    world.launched("a");
    world.listens("a");
    world
}

#[test]
fn a_lazy_service_that_nobody_calls_is_stopped_and_comes_back_with_the_next_call() {
    let mut world = woken();
    assert_eq!(world.next(), Some(1000));
    assert_eq!(world.pass(1000), "measure a");
    // It was called since.
    world.measured("a", 0, 3);
    for _ in 0..3 {
        assert_eq!(world.pass(1000), "measure a");
        assert_eq!(world.measured("a", 0, 3), "");
    }
    assert_eq!(world.pass(1000), "measure a");
    assert_eq!(world.measured("a", 0, 3), "");
    assert_eq!((world.state("a"), world.endpoints("a")), ("stopping", vec![]));
    // Nothing is under way; had a call begun just then, it would be waited for.
    assert_eq!(world.drained("a"), "signal a SIGTERM");
    world.exited("a", 143);
    assert_eq!((world.state("a"), world.next()), ("idle", None));
    assert_eq!(world.wake("a"), "launch a");
}

#[test]
fn one_long_call_keeps_it() {
    let mut world = woken();
    for _ in 0..20 {
        assert_eq!(world.pass(1000), "measure a");
        assert_eq!(world.measured("a", 1, 1), "");
    }
    assert_eq!(world.state("a"), "ready");
}

#[test]
fn a_call_while_it_goes_has_it_back() {
    let mut world = woken();
    for _ in 0..4 {
        world.pass(1000);
        world.measured("a", 0, 0);
    }
    assert_eq!(world.state("a"), "stopping");
    assert_eq!(world.wake("a"), "");
    assert_eq!(world.drained("a"), "signal a SIGTERM");
    assert_eq!(world.exited("a", 143), "launch a");
}

#[test]
fn what_ends_on_its_way_to_rest_is_not_started_again() {
    let mut world = Fixture::new("a: lazy: true, idle_timeout: 4s, ports: 80, restart: always");
    world.up();
    world.wake("a");
    world.launched("a");
    world.listens("a");
    for _ in 0..4 {
        world.pass(1000);
        world.measured("a", 0, 0);
    }
    world.exited("a", 1);
    assert_eq!((world.state("a"), world.next()), ("idle", None));
}

#[test]
fn an_instance_that_has_reached_its_age_is_replaced_by_a_new_one() {
    let mut world = Fixture::new("a: ports: 80, strategy: rolling, max_age: 1m");
    world.up();
    world.launched("a");
    world.listens("a");
    assert_eq!(world.pass(59_000), "");
    assert_eq!(world.pass(1000), "launch a#2");
    world.launched("a#2");
    world.listens("a#2");
    world.drained("a");
    world.exited("a", 0);
    assert_eq!(world.instances("a"), "2 ready");
    assert_eq!(world.next(), Some(60_000));
    // One that there may be but once starts again; one that owns data does not grow old.
    let mut world = Fixture::passable("a: max_age: 1m | b: stateful: true, max_age: 1m");
    world.up();
    world.launched("a");
    world.launched("b");
    assert_eq!(world.pass(60_000), "signal a SIGTERM");
    assert_eq!(world.exited("a", 0), "launch a");
    assert_eq!(world.state("b"), "running");
}

//! Memory for the whole workspace.

use nagaya::supervise::{Demand, Fact, Weighed};

use super::fixture::Fixture;

const MIB: u64 = 1 << 20;
const LAZY: &str = "lazy: true, ports: 80, strategy: recreate";

/// Three lazy services and one that is not, all running.
fn world() -> Fixture {
    let mut world = Fixture::new(&format!("budget: 100MiB || a: {LAZY} | b: {LAZY} | c: {LAZY} | d"));
    world.up();
    world.launched("d");
    for name in ["a", "b", "c"] {
        world.wake(name);
        world.launched(name);
        world.listens(name);
    }
    world
}

impl Fixture {
    /// Answers a look: what each takes in MiB, its calls under way, and in which order the last ones ended.
    fn weighed(&mut self, all: &[(&str, u64, u32, u64)]) -> String {
        let weighed = |&(name, mib, under_way, last): &(&str, u64, u32, u64)| Weighed {
            incarnation: self.life(name),
            bytes: mib * MIB,
            demand: Demand { under_way, begun: 1, last },
        };
        let all = all.iter().map(weighed).collect();
        self.tell(Fact::Weighed(all))
    }

    fn told(&mut self) -> Vec<String> {
        let notes = self.world.take_notes();
        notes.iter().map(|note| nagaya::view::news(&note.what).1).collect()
    }
}

#[test]
fn those_go_first_that_nobody_called_for_longest_and_none_that_answers() {
    let mut world = world();
    assert_eq!(world.pass(1000), "weigh");
    assert_eq!(world.next(), None, "one look at a time");
    // c is the oldest, but it answers somebody; one of the others is enough.
    assert_eq!(world.weighed(&[("a", 30, 0, 9), ("b", 30, 0, 5), ("c", 30, 1, 2), ("d", 30, 0, 0)]), "");
    assert_eq!((world.state("b"), world.drained("b")), ("stopping", "signal b SIGTERM".to_owned()));
    world.exited("b", 0);
    assert_eq!(world.states(), "ready idle ready running");
    assert_eq!(world.told(), ["stopped, which frees 30MiB: the services take 120MiB, and the budget is 100MiB"]);
    let reason = world.world.status(world.place("b")).reason.unwrap();
    let reason = nagaya::view::reason(&reason, world.world.plan());
    assert_eq!(reason, "stopped until it is called: the services took 120MiB, and the budget is 100MiB");
    // It is looked again soon, and seldom where there is room.
    assert_eq!(world.next(), Some(1000));
    assert_eq!(world.pass(1000), "weigh");
    world.weighed(&[("a", 10, 0, 9), ("c", 10, 0, 2), ("d", 5, 0, 0)]);
    assert_eq!(world.next(), Some(15_000));
    // Whoever calls it has it again, and then it is looked soon.
    assert_eq!(world.wake("b"), "launch b");
    world.launched("b");
    world.listens("b");
    assert_eq!(world.next(), Some(1000));
    assert_eq!(world.world.status(world.place("b")).reason, None);
}

#[test]
fn what_is_leaving_makes_room_for_itself() {
    let mut world = world();
    world.pass(1000);
    let all = [("a", 30, 0, 9), ("b", 30, 0, 5), ("c", 30, 1, 2), ("d", 30, 0, 0)];
    world.weighed(&all);
    assert_eq!(world.pass(1000), "weigh");
    world.weighed(&all);
    assert_eq!(world.states(), "ready stopping ready running");
}

#[test]
fn what_came_while_it_was_looked_up_is_not_idle() {
    let mut world = Fixture::new(&format!("budget: 100MiB || a: {LAZY} | b: {LAZY}"));
    world.up();
    for (name, looked) in [("a", ""), ("b", "weigh")] {
        assert_eq!(world.pass(1000), looked);
        world.wake(name);
        world.launched(name);
        world.listens(name);
    }
    // Whoever woke it was not counted yet. It may be idle later: that none is would be said too soon.
    world.weighed(&[("a", 20, 0, 5), ("b", 160, 0, 0)]);
    assert_eq!(world.states(), "stopping ready");
    assert_eq!(world.told().len(), 1);
}

#[test]
fn as_many_go_as_have_to() {
    let mut world = world();
    world.pass(1000);
    world.weighed(&[("a", 40, 0, 1), ("b", 40, 0, 2), ("c", 40, 0, 3), ("d", 60, 0, 0)]);
    assert_eq!(world.states(), "stopping stopping ready running");
}

#[test]
fn without_lazy_ones_it_is_told_once_and_once_more_when_it_is_over() {
    let mut world = Fixture::new("budget: 100MiB || a");
    world.up();
    world.launched("a");
    for told in [1, 0, 0] {
        assert_eq!(world.pass(1000), "weigh");
        world.weighed(&[("a", 300, 0, 0)]);
        assert_eq!((world.told().len(), world.state("a")), (told, "running"));
    }
    world.pass(1000);
    world.weighed(&[("a", 50, 0, 0)]);
    assert_eq!(world.told(), ["the services take 50MiB of memory, and the budget is 100MiB again"]);
    world.stop(&["a"]);
    world.exited("a", 0);
    assert_eq!(world.pass(20_000), "");
    assert_eq!(world.next(), None, "nothing runs");
    // Without a budget nobody looks.
    let mut world = Fixture::new("a");
    world.up();
    world.launched("a");
    assert_eq!(world.next(), None);
}

//! Services whose calls decide how many instances they have.

use nagaya::supervise::{Demand, Fact};

use super::fixture::Fixture;

const AUTO: &str =
    "a: replicas: { max: 5, in_flight: 2, period: 10s, stabilization_window: 60s }, ports: 80, strategy: recreate";

impl Fixture {
    /// Lets a look's time come, and answers it.
    fn counted(&mut self, millis: u64, under_way: u32, begun: u64) -> String {
        assert_eq!(self.pass(millis), "measure a");
        let life = self.life("a");
        self.tell(Fact::Measured(life, Demand { under_way, begun, last: 0 }))
    }

    /// A period in which so many calls are under way whenever it is looked, after an alert or the period before.
    fn period(&mut self, under_way: u32) -> String {
        (0..10).map(|_| self.counted(1000, under_way, 1)).last().unwrap()
    }

    fn comes(&mut self, names: &[&str]) {
        for name in names {
            self.launched(name);
            self.listens(name);
        }
    }
}

/// One instance, and nobody who looks for calls.
fn asleep() -> Fixture {
    let mut world = Fixture::new(AUTO);
    assert_eq!(world.up(), "launch a");
    world.comes(&["a"]);
    (0..9).for_each(|_| assert_eq!(world.counted(1000, 0, 0), ""));
    assert_eq!(world.counted(1000, 0, 0), "alert a");
    assert_eq!(world.next(), None);
    world
}

fn called() -> Fixture {
    let mut world = asleep();
    let life = world.life("a");
    assert_eq!(world.tell(Fact::Called(life)), "");
    world
}

#[test]
fn calls_bring_instances_and_their_absence_takes_them_away() {
    let mut world = called();
    assert_eq!(world.period(5), "launch a#2, launch a#3");
    let notes = world.world.take_notes();
    assert_eq!(notes.len(), 1);
    assert_eq!(
        nagaya::view::news(&notes[0].what),
        ("scaled", "from 1 to 3: 5.0 calls were under way in the mean, and one instance is to have 2".to_owned())
    );
    world.comes(&["a#2", "a#3"]);
    // Fewer calls: as many as were worth having within the window stay.
    for _ in 0..5 {
        assert_eq!(world.period(1), "");
    }
    assert_eq!(world.endpoints("a"), [1, 2, 3]);
    assert_eq!(world.period(1), "");
    assert_eq!(world.period(1), "");
    assert_eq!(world.endpoints("a"), [1]);
    assert_eq!(world.instances("a"), "1 ready, 2 stopping, 3 stopping");
}

#[test]
fn nobody_looks_while_nothing_flows_and_it_still_goes_down() {
    let mut world = called();
    world.period(9);
    world.comes(&["a#2", "a#3", "a#4", "a#5"]);
    assert_eq!(world.endpoints("a"), [1, 2, 3, 4, 5]);
    // Those are new, so it is looked from now on; a period without calls is the last one.
    assert_eq!(world.period(0), "alert a");
    // 60 seconds after it was worth five, and not before.
    let next = world.next().unwrap();
    assert!((50_000..=50_002).contains(&next), "{next}");
    assert_eq!(world.counted(u64::try_from(next).unwrap(), 0, 1), "alert a");
    assert_eq!(world.endpoints("a"), [1]);
}

#[test]
fn a_look_that_is_lost_with_its_instance_is_made_up_for() {
    let mut world = called();
    world.period(3);
    world.comes(&["a#2"]);
    assert_eq!(world.pass(1000), "measure a");
    let life = world.life("a");
    world.exited("a", 1);
    world.tell(Fact::Measured(life, Demand { under_way: 9, begun: 9, last: 0 }));
    assert_eq!(world.endpoints("a"), [2]);
    assert_eq!(world.next(), Some(1000));
    // An alert that is lost likewise.
    let mut world = asleep();
    world.exited("a", 1);
    assert_eq!(world.next(), None);
    world.start(&["a"]);
    world.comes(&["a"]);
    assert_eq!(world.next(), Some(1000));
}

#[test]
fn a_number_set_by_hand_stays_and_the_range_begins_with_what_is_there() {
    let mut world = called();
    assert_eq!(world.period(5), "launch a#2, launch a#3");
    world.comes(&["a#2", "a#3"]);
    assert_eq!(world.apply("a: replicas: 2, ports: 80, strategy: recreate"), "");
    assert_eq!((world.endpoints("a"), world.next().is_some()), (vec![1, 2], true));
    world.drained("a#3");
    world.exited("a#3", 0);
    assert_eq!(world.next(), None);
    world.apply(AUTO);
    assert_eq!(world.endpoints("a"), [1, 2]);
    // Nobody calls, and still both stay for the window.
    world.period(0);
    assert_eq!(world.endpoints("a"), [1, 2]);
    // A narrower range holds at once.
    assert_eq!(world.apply(&AUTO.replace("max: 5", "max: 1, min: 1")), "");
    assert_eq!(world.endpoints("a"), [1]);
}

#[test]
fn a_service_that_is_stopped_begins_anew() {
    let mut world = called();
    world.period(9);
    world.comes(&["a#2", "a#3", "a#4", "a#5"]);
    world.stop(&["a"]);
    for name in ["a", "a#2", "a#3", "a#4", "a#5"] {
        world.exited(name, 0);
    }
    assert_eq!((world.instances("a"), world.next()), ("1 stopped".to_owned(), None));
    assert_eq!(world.start(&["a"]), "launch a");
}

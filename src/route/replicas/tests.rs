//! Calls that begin and end while instances come and go.

use super::*;

fn at(number: u16) -> Vec<Location> {
    vec![Location::Loopback(number)]
}

fn life(number: u16) -> Life {
    Life { incarnation: Incarnation(number.into()), own: None, locations: at(number) }
}

fn begin(replicas: &Replicas) -> Call {
    match replicas.pick(0, &Location::Loopback(9)) {
        Picked::Call(call) => call,
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_that_is_withdrawn_gets_no_more_and_is_drained_when_the_last_answer_is_through() {
    let (facts, mut told) = mpsc::unbounded_channel();
    let replicas = Replicas::listed(&Arc::default());
    assert!(matches!(replicas.pick(0, &Location::Loopback(9)), Picked::Nobody));
    assert!(replicas.set([life(1)].into_iter(), &facts).is_empty());
    let (first, second) = (begin(&replicas), begin(&replicas));
    assert_eq!(
        (first.location(), replicas.demand()),
        (&Location::Loopback(1), Demand { under_way: 2, begun: 2, last: 0 })
    );
    let gone = replicas.set([life(2)].into_iter(), &facts);
    assert_eq!(gone.iter().map(|it| it.locations().to_vec()).collect::<Vec<_>>(), [at(1)]);
    assert_eq!(begin(&replicas).location(), &Location::Loopback(2));
    drop(first);
    assert!(told.try_recv().is_err());
    drop(second);
    assert!(matches!(told.try_recv(), Ok(Fact::Drained(Incarnation(1)))));
    // One that had nothing to answer is drained at once, and told once.
    replicas.set(std::iter::empty(), &facts);
    assert!(matches!(told.try_recv(), Ok(Fact::Drained(Incarnation(2)))));
    assert!(told.try_recv().is_err());
    assert_eq!(replicas.demand(), Demand { under_way: 0, begun: 3, last: 3 });
}

#[test]
fn the_address_of_a_pod_stands_for_its_service_while_there_is_no_other() {
    let (facts, _told) = mpsc::unbounded_channel();
    let replicas = Replicas::listed(&Arc::default());
    let [one, other] = [1, 2].map(|last| Ipv4Addr::new(10, 66, 128, last));
    let pod = |number, own| Life { own: Some(own), ..life(number) };
    assert!(!replicas.are_only_at(one) && !Replicas::Fixed.are_only_at(one));
    replicas.set([pod(1, one)].into_iter(), &facts);
    assert!(replicas.are_only_at(one) && !replicas.are_only_at(other));
    replicas.set([pod(1, one), pod(2, other)].into_iter(), &facts);
    assert!(!replicas.are_only_at(one) && !replicas.are_only_at(other));
}

#[test]
fn a_call_goes_to_others_until_enough_were_tried() {
    let (facts, _told) = mpsc::unbounded_channel();
    let replicas = Replicas::listed(&Arc::default());
    replicas.set((1..=5).map(life), &facts);
    let mut places = vec![begin(&replicas)];
    let mut tried = Tried::default();
    while let Some(next) = replicas.another(places.last().unwrap(), &mut tried) {
        places.push(next);
    }
    let mut seen: Vec<String> = places.iter().map(|place| place.location().to_string()).collect();
    seen.dedup();
    assert_eq!((seen.len(), replicas.demand().under_way), (TRIES, 3));
    drop(places);
    assert_eq!(replicas.demand().under_way, 0);
    // There is one, and it was tried; what is not run here has no other.
    replicas.set([life(1)].into_iter(), &facts);
    let only = begin(&replicas);
    assert!(replicas.another(&only, &mut Tried::default()).is_none());
    assert!(Replicas::Fixed.another(&Call::Fixed(Location::Loopback(9)), &mut Tried::default()).is_none());
}

#[test]
fn the_first_call_after_an_alert_is_told_and_no_other() {
    let (facts, mut told) = mpsc::unbounded_channel();
    let replicas = Replicas::listed(&Arc::default());
    replicas.set([life(1)].into_iter(), &facts);
    drop(begin(&replicas));
    assert!(told.try_recv().is_err());
    // One that has begun since it was counted is told by whoever asks.
    assert!(replicas.alert(0));
    assert!(!replicas.alert(1));
    drop((begin(&replicas), begin(&replicas)));
    assert!(matches!(told.try_recv(), Ok(Fact::Called(Incarnation(1)))));
    assert!(told.try_recv().is_err());
}

#[test]
fn calls_go_to_the_one_with_less_to_do() {
    let (facts, _told) = mpsc::unbounded_channel();
    let replicas = Replicas::listed(&Arc::default());
    replicas.set([life(1), life(2)].into_iter(), &facts);
    let held: Vec<Call> = (0..100).map(|_| begin(&replicas)).collect();
    assert_eq!(held.iter().filter(|call| *call.location() == Location::Loopback(1)).count(), 50);
}

#[test]
fn a_port_that_the_instances_do_not_know_is_told_and_holds_nothing() {
    let (facts, _told) = mpsc::unbounded_channel();
    let replicas = Replicas::listed(&Arc::default());
    replicas.set([life(1)].into_iter(), &facts);
    assert!(matches!(replicas.pick(1, &Location::Loopback(9)), Picked::NoPort));
    assert_eq!(replicas.demand(), Demand::default());
    assert_eq!(
        *match Replicas::Fixed.pick(1, &Location::Loopback(9)) {
            Picked::Call(call) => call.location().clone(),
            other => panic!("{other:?}"),
        }
        .to_string(),
        *"port 9"
    );
}

/// However calls and the withdrawal meet, every call that began has ended before it is said to be drained.
#[test]
fn a_withdrawal_in_the_middle_of_calls_loses_none() {
    for _ in 0..200 {
        let (facts, mut told) = mpsc::unbounded_channel();
        let replicas = Replicas::listed(&Arc::default());
        replicas.set([life(1)].into_iter(), &facts);
        let under_way = AtomicU32::new(0);
        let call_on = || {
            while let Picked::Call(call) = replicas.pick(0, &Location::Loopback(9)) {
                under_way.fetch_add(1, Ordering::SeqCst);
                under_way.fetch_sub(1, Ordering::SeqCst);
                drop(call);
            }
        };
        std::thread::scope(|threads| {
            threads.spawn(call_on);
            threads.spawn(call_on);
            replicas.set(std::iter::empty(), &facts);
            assert!(matches!(told.blocking_recv(), Some(Fact::Drained(_))));
            assert_eq!(under_way.load(Ordering::SeqCst), 0);
        });
        assert!(told.try_recv().is_err(), "it is told once");
    }
}

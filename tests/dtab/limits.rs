//! Names that lead back to themselves: whatever is written, binding ends, and says what goes round.

use nagaya::dtab::{Limits, Unbound, Unended};

use super::fixture::Fixture;

fn reason(fixture: &Fixture, path: &str) -> Unbound {
    fixture.bind(path).expect_err("it is not bound")
}

#[test]
fn a_hundred_look_ups_lead_somewhere_and_one_more_does_not() {
    let chain = |steps: usize| {
        let entries: Vec<String> = (1..steps).map(|n| format!("/n{n}=>/n{}", n + 1)).collect();
        Fixture::new(&format!("{};/n{steps}=>/$/inet/80", entries.join(";")))
    };
    assert!(chain(99).bind("/n1").is_ok(), "99 steps of the table and one of the namer");
    let reason = reason(&chain(100), "/n1");
    let text = "100 names were followed, and /n100 is not the end yet";
    assert_eq!(reason.to_string(), text);
}

#[test]
fn entries_that_lead_back_to_each_other_are_named_in_their_order() {
    let fixture = Fixture::new("/in=>/a;/a=>/b;/other=>/a;/b=>/c;/c=>/a");
    let expected = "100 names were followed, and there is no end: from /a on, these entries lead back to each other: \
                    `/a=>/b`, `/b=>/c`, `/c=>/a`";
    assert_eq!(reason(&fixture, "/in").to_string(), expected);
    let growing = reason(&Fixture::new("/a=>/a/x"), "/a").to_string();
    assert!(growing.ends_with(": from /a on, `/a=>/a/x` leads back to itself"), "{growing}");
}

#[test]
fn names_that_lead_to_ever_more_names_end_within_the_limit_of_work() {
    for table in ["/s=>/s/a & /s/b", "/s=>/s/a & /s/b | /s/c", "/s=>(/s/a | ~) & (~ | /s/b) & /s/c & $"] {
        let fixture = Fixture::new(table);
        let reason = reason(&fixture, "/s");
        let Unbound::TooMuch { limit, end } = &reason else { panic!("{table}: {reason}") };
        let Unended::Round(cycle) = &**end else { panic!("{table}: {reason}") };
        assert_eq!((*limit, cycle.path.to_string()), (Limits::default().work, "/s".to_owned()));
        assert_eq!(cycle.entries, fixture.table.dtab().entries(), "{table}");
        // A trace does as much again, aside, and no more.
        assert_eq!(fixture.delegate("/s").outcome, Err(reason));
    }
}

#[test]
fn trees_inside_trees_do_not_use_up_the_stack() {
    let nested = |depth: usize, inner: &str| format!("{}{inner}{}", "(~ | /no & ".repeat(depth), ")".repeat(depth));
    let fixture = Fixture::new(&format!("/s=>{}", nested(50, "/s/a")));
    // A worker's stack, as small as Rust makes them.
    let bound = std::thread::Builder::new().stack_size(2 << 20).spawn(move || {
        assert!(fixture.delegate("/s").outcome.is_err());
        fixture.bind("/s").is_err()
    });
    assert!(bound.unwrap().join().unwrap());
}

#[test]
fn a_branch_that_goes_round_leaves_its_union() {
    let fixture = Fixture::new("/svc=>/#/n;/svc/users=>/svc/users/v2 & 3*/#/n/users").services("/#/n", &["users"]);
    let bound = fixture.bind("/svc/users").unwrap();
    let ids: Vec<String> =
        bound.shares().iter().map(|it| it.leaf.map_or("".into(), |leaf| leaf.id.to_string())).collect();
    assert!(!ids.is_empty() && ids.iter().all(|id| id == "/#/n/users"), "finagle gives all to the other: {ids:?}");
}

#[test]
fn an_entry_that_is_met_twice_is_no_circle() {
    let mut fixture = Fixture::new("/strip=>/;/a=>/$/inet/1");
    assert!(fixture.bind("/strip/strip/a").is_ok());
    fixture.limits.depth = 2;
    let reason = reason(&fixture, "/strip/strip/a").to_string();
    assert_eq!(reason, "2 names were followed, and /strip/a is not the end yet");
}

#[test]
fn limits_can_be_lower() {
    let mut fixture = Fixture::new("/a=>/b & /c;/b=>/$/inet/1;/c=>/$/inet/2");
    assert!(fixture.bind("/a").is_ok());
    fixture.limits.work = 3;
    assert_eq!(reason(&fixture, "/a").to_string(), "3 names and branches were tried, and /a is not the end yet");
}

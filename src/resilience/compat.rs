//! How versions of services go together, by what was seen of their combinations.
//!
//! A combination has one version of each service that is compared, by its place in that service's list. The first version
//! of each is the present one. A service that was deployed alone meets the present versions of all others: those are the
//! combinations that differ from the present one in a single service.

use std::collections::VecDeque;

/// How another service is called by one that gets a new version, or calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    /// The present version of the other calls the new one: it is forward compatible where that works.
    Forward,
    /// The new version calls the present one of the other: it is backward compatible where that works.
    Backward,
    /// Each calls the other.
    Both,
    /// They run side by side.
    Beside,
}

/// A new version of one service among the present ones of all others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The service and its version, by place.
    pub service: usize,
    pub version: usize,
    /// The place of the combination among all.
    pub combination: usize,
    pub works: bool,
    /// The other services, and how they are called.
    pub others: Vec<(usize, Relation)>,
}

/// In which order the newest versions can replace the present ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// One service has them alone, and can have the newest.
    Alone,
    /// Every order works.
    Any,
    /// This one works: a service and its version at a time.
    Steps(Vec<(usize, usize)>),
    /// The newest versions work together, and no order of single steps leads there.
    Together,
    /// The newest versions do not work together.
    Never,
}

/// How many combinations there are of services with so many versions; none where that is no number any more.
pub fn count(versions: &[usize]) -> Option<usize> {
    versions.iter().try_fold(1_usize, |all, count| all.checked_mul(*count))
}

/// All combinations, the present one first; the versions of the last service change fastest.
pub fn combinations(versions: &[usize]) -> Vec<Vec<usize>> {
    versions.iter().fold(vec![Vec::new()], |all, &count| {
        let with =
            |combination: Vec<usize>| (0..count).map(move |version| [combination.as_slice(), &[version]].concat());
        all.into_iter().flat_map(with).collect()
    })
}

/// What is known of each new version alone. `calls` tells for each two services whether the first one calls the second,
/// and `works` of each combination, in their order, whether it does. Nothing is known where the present one does not.
pub fn findings(versions: &[usize], calls: &[Vec<bool>], works: &[bool]) -> Option<Vec<Finding>> {
    let all = combinations(versions);
    works.first().copied().filter(|works| *works)?;
    let only = |combination: &[usize]| {
        let mut new = combination.iter().enumerate().filter(|(_, version)| **version > 0);
        new.next().filter(|_| new.next().is_none()).map(|(service, &version)| (service, version))
    };
    let relation = |service: usize, other: usize| match (calls[other][service], calls[service][other]) {
        (true, true) => Relation::Both,
        (true, false) => Relation::Forward,
        (false, true) => Relation::Backward,
        (false, false) => Relation::Beside,
    };
    let finding = |(place, combination): (usize, &Vec<usize>)| {
        let (service, version) = only(combination)?;
        let others = (0..versions.len()).filter(|&other| other != service);
        let others = others.map(|other| (other, relation(service, other))).collect();
        Some(Finding { service, version, combination: place, works: works[place], others })
    };
    let mut found: Vec<Finding> = all.iter().enumerate().filter_map(finding).collect();
    found.sort_by_key(|finding| (finding.service, finding.version));
    Some(found)
}

/// How the last versions of all services can be reached from the first ones, a service at a time, by combinations that
/// work. None where there is nothing new, or the present combination does not work.
pub fn order(versions: &[usize], works: &[bool]) -> Option<Order> {
    let all = combinations(versions);
    let present = vec![0; versions.len()];
    let newest: Vec<usize> = versions.iter().map(|count| count.saturating_sub(1)).collect();
    let does = |combination: &[usize]| all.iter().position(|it| it == combination).is_some_and(|place| works[place]);
    if newest == present || !does(&present) {
        return None;
    }
    if !does(&newest) {
        return Some(Order::Never);
    }
    if newest.iter().filter(|version| **version > 0).count() == 1 {
        return Some(Order::Alone);
    }
    let is_between = |it: &&Vec<usize>| it.iter().zip(&newest).all(|(version, last)| *version == 0 || version == last);
    if all.iter().filter(is_between).all(|combination| does(combination)) {
        return Some(Order::Any);
    }
    Some(steps(&present, &newest, versions, does).map_or(Order::Together, Order::Steps))
}

/// The fewest steps, each to a later version of one service.
fn steps(
    present: &[usize],
    newest: &[usize],
    versions: &[usize],
    works: impl Fn(&[usize]) -> bool,
) -> Option<Vec<(usize, usize)>> {
    let mut seen = vec![present.to_vec()];
    let mut queue = VecDeque::from([(present.to_vec(), Vec::new())]);
    while let Some((at, way)) = queue.pop_front() {
        if at == newest {
            return Some(way);
        }
        for service in 0..versions.len() {
            for version in (at[service] + 1..versions[service]).rev() {
                let mut next = at.clone();
                next[service] = version;
                if works(&next) && !seen.contains(&next) {
                    seen.push(next.clone());
                    queue.push_back((next, [way.as_slice(), &[(service, version)]].concat()));
                }
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn combinations_begin_with_the_present_one() {
        assert_eq!(combinations(&[2, 3]), [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2]]);
        assert_eq!(combinations(&[2]), [[0], [1]]);
        assert_eq!((count(&[2, 3, 4]), count(&[usize::MAX, 2])), (Some(24), None));
    }

    /// Orders, the second, calls users, the first.
    const CALLS: [[bool; 2]; 2] = [[false, false], [true, false]];

    fn told(versions: &[usize], works: &[bool]) -> Option<Vec<String>> {
        let calls: Vec<Vec<bool>> = CALLS.iter().map(|row| row.to_vec()).collect();
        let tell = |it: Finding| {
            let others: Vec<String> =
                it.others.iter().map(|(other, relation)| format!("{other} {relation:?}")).collect();
            format!("{}={} {} {}", it.service, it.version, others.join(", "), it.works)
        };
        Some(findings(versions, &calls, works)?.into_iter().map(tell).collect())
    }

    #[test]
    fn a_new_provider_is_met_by_old_consumers_and_a_new_consumer_meets_old_providers() {
        // users v1 with orders v1 and v2, then users v2 with both.
        let found = told(&[2, 2], &[true, false, true, true]).unwrap();
        assert_eq!(found, ["0=1 1 Forward true", "1=1 0 Backward false"]);
        let found = told(&[3, 1], &[true, false, true]).unwrap();
        assert_eq!(found, ["0=1 1 Forward false", "0=2 1 Forward true"]);
        assert_eq!(told(&[2, 2], &[false, true, true, true]), None, "the present versions fail themselves");
        assert_eq!(told(&[1, 1], &[true]), Some(Vec::new()));
    }

    #[test]
    fn who_calls_whom_decides_the_relation() {
        let both = vec![vec![false, true], vec![true, false]];
        let relation = |calls: &[Vec<bool>]| findings(&[2, 1], calls, &[true, true]).unwrap()[0].others[0].1;
        assert_eq!(relation(&both), Relation::Both);
        assert_eq!(relation(&[vec![false, false], vec![false, false]]), Relation::Beside);
    }

    #[test]
    fn an_order_leads_by_combinations_that_work() {
        let cases: [(&[usize], &[bool], Option<Order>); 9] = [
            (&[2, 2], &[true, true, true, true], Some(Order::Any)),
            (&[2, 2], &[true, false, true, true], Some(Order::Steps(vec![(0, 1), (1, 1)]))),
            (&[2, 2], &[true, true, false, true], Some(Order::Steps(vec![(1, 1), (0, 1)]))),
            (&[2, 2], &[true, false, false, true], Some(Order::Together)),
            (&[2, 2], &[true, true, true, false], Some(Order::Never)),
            (&[2, 2], &[false, true, true, true], None),
            (&[1, 1], &[true], None),
            (&[2], &[true, true], Some(Order::Alone)),
            // The first service passes through its second version.
            (&[3, 2], &[true, false, true, true, false, true], Some(Order::Steps(vec![(0, 1), (1, 1), (0, 2)]))),
        ];
        for (versions, works, expected) in cases {
            assert_eq!(order(versions, works), expected, "{versions:?} {works:?}");
        }
    }

    /// Every step of an order is a combination that works, and one is found wherever there is one.
    #[test]
    fn at_random_an_order_is_found_where_there_is_one() {
        for _ in 0..2000 {
            let versions: Vec<usize> = (0..fastrand::usize(1..4)).map(|_| fastrand::usize(1..4)).collect();
            let all = combinations(&versions);
            let works: Vec<bool> = all.iter().map(|_| fastrand::u8(..3) > 0).collect();
            let does = |it: &[usize]| works[all.iter().position(|known| known == it).unwrap()];
            // A naive reading: what can be reached, until nothing more can.
            let mut reached = vec![works[0]; 1];
            reached.resize(all.len(), false);
            loop {
                let before = reached.clone();
                for (to, it) in all.iter().enumerate().filter(|(to, _)| works[*to]) {
                    let is_step = |from: &Vec<usize>| {
                        let differ: Vec<usize> = (0..it.len()).filter(|&at| from[at] != it[at]).collect();
                        matches!(differ.as_slice(), [at] if from[*at] < it[*at])
                    };
                    reached[to] |= all.iter().zip(&before).any(|(from, reached)| *reached && is_step(from));
                }
                if reached == before {
                    break;
                }
            }
            let last = *reached.last().unwrap();
            match order(&versions, &works) {
                Some(Order::Steps(steps)) => {
                    let mut at = vec![0; versions.len()];
                    for (service, version) in steps {
                        assert!(version > at[service]);
                        at[service] = version;
                        assert!(does(&at), "{versions:?} {works:?} at {at:?}");
                    }
                    assert_eq!(at, *all.last().unwrap());
                }
                Some(Order::Any | Order::Alone) => assert!(last),
                Some(Order::Together) => assert!(!last && *works.last().unwrap() && works[0]),
                Some(Order::Never) => assert!(!works.last().unwrap()),
                None => assert!(!works[0] || all.len() == 1),
            }
        }
    }
}

//! How requests are shared out over a union.

use nagaya::dtab::{Bound, NameTree, Path};

use super::fixture::Fixture;

const DRAWS: u32 = 100_000;

/// How many of many draws got an id.
fn drawn(tree: &NameTree<Bound<()>>, id: &str, seed: u64) -> f64 {
    let mut random = fastrand::Rng::with_seed(seed);
    let id: Path = id.parse().unwrap();
    let is_wanted = |bound: Option<&Bound<()>>| bound.is_some_and(|bound| bound.id == id);
    let count = (0..DRAWS).filter(|_| is_wanted(tree.draw(random.f64()))).count();
    count as f64
}

/// Within three standard deviations of what chance alone makes of a share.
fn assert_share(tree: &NameTree<Bound<()>>, id: &str, share: f64, seed: u64) {
    let count = drawn(tree, id, seed);
    let (expected, sigma) = (f64::from(DRAWS) * share, (f64::from(DRAWS) * share * (1.0 - share)).sqrt());
    let off = (count - expected).abs() / sigma;
    assert!(off <= 3.0, "{id}: {count} draws instead of {expected}, {off:.1} sigma off (seed {seed})");
}

#[test]
fn canaries_get_their_share() {
    for (weights, share) in [("1*/v2 & 99*/v1", 0.01), ("0.25*/v2 & 0.75*/v1", 0.25), ("0.001*/v2 & 0.999*/v1", 0.001)]
    {
        let fixture = Fixture::new(&format!("/svc/users=>{weights};/v1=>/$/inet/1;/v2=>/$/inet/2"));
        let tree = fixture.bind("/svc/users").unwrap();
        for seed in 0..3 {
            assert_share(&tree, "/$/inet/2", share, seed);
            assert_share(&tree, "/$/inet/1", 1.0 - share, seed + 100);
        }
    }
}

#[test]
fn one_number_serves_unions_inside_each_other() {
    let tree = Fixture::new("/a=>8*(7*/$/inet/1 & /$/inet/2) & 2*(/$/inet/3 & 0*/$/inet/4)").bind("/a").unwrap();
    for (id, share) in [("/$/inet/1", 0.7), ("/$/inet/2", 0.1), ("/$/inet/3", 0.2)] {
        assert_share(&tree, id, share, 7);
    }
    assert_eq!(drawn(&tree, "/$/inet/4", 7), 0.0);
}

#[test]
fn the_same_number_draws_the_same() {
    let tree = Fixture::new("/a=>/$/inet/1 & /$/inet/2 & /$/inet/3").bind("/a").unwrap();
    let mut random = fastrand::Rng::with_seed(1);
    let numbers: Vec<f64> = (0..1000).map(|_| random.f64()).collect();
    assert!(numbers.iter().all(|&number| tree.draw(number) == tree.draw(number)));
    // More for one branch takes requests from the others, and gives none of its own away.
    let more = Fixture::new("/a=>9*/$/inet/1 & /$/inet/2 & /$/inet/3").bind("/a").unwrap();
    let first = |tree: &NameTree<Bound<()>>, number| tree.draw(number).unwrap().id.to_string() == "/$/inet/1";
    assert!(numbers.iter().all(|&number| !first(&tree, number) || first(&more, number)));
}

#[test]
fn what_is_there_and_empty_keeps_its_share_and_what_is_not_there_loses_it() {
    let count = |table: &str| drawn(&Fixture::new(table).bind("/a").unwrap(), "/$/inet/1", 3);
    assert_eq!(count("/a=>/$/inet/1 & /nowhere & !"), f64::from(DRAWS));
    let half = count("/a=>/$/inet/1 & $");
    assert!((45_000.0..55_000.0).contains(&half), "{half}");
}

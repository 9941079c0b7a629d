//! Which leaf of a tree a request gets (finagle: `NameTreeFactory`, `Drv`).
//!
//! At each union one branch is drawn by weight; where all weights are zero, all are as likely. A branch without a leaf
//! keeps its share, and the requests that draw it fail, unless its weight is zero. Finagle takes weights whose sum is
//! within 1 % of 1 as shares, so that some of them are off by as much; here they never are.

use super::tree::{NameTree, Weighted};
use super::weight::{Weight, shares};

/// A part of the requests, and what it gets.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share<'t, T> {
    /// In `0..=1`; all together are 1.
    pub share: f64,
    /// `None`: these requests fail.
    pub leaf: Option<&'t T>,
}

impl<T> NameTree<T> {
    /// The leaf of a request whose random number, in `0..1`, is this. The same number draws the same leaf of the same
    /// tree, so a number made of a key makes draws sticky. `None`: the request fails.
    pub fn draw(&self, random: f64) -> Option<&T> {
        match self {
            Self::Leaf(leaf) => Some(leaf),
            Self::Neg | Self::Fail | Self::Empty => None,
            Self::Alt(trees) => first_positive(trees)?.draw(random),
            Self::Union(branches) => {
                let drawn = drawn(branches);
                let (branch, random) = pick(&drawn, random)?;
                branch.draw(random)
            }
        }
    }

    /// All leaves with their shares of the requests, in the order of the tree; weights of unions inside each other are
    /// multiplied out.
    pub fn shares(&self) -> Vec<Share<'_, T>> {
        let mut all = Vec::new();
        self.collect_shares(1.0, &mut all);
        all
    }

    fn collect_shares<'t>(&'t self, share: f64, all: &mut Vec<Share<'t, T>>) {
        match self {
            Self::Leaf(leaf) => all.push(Share { share, leaf: Some(leaf) }),
            Self::Neg | Self::Fail | Self::Empty => all.push(Share { share, leaf: None }),
            Self::Alt(trees) => first_positive(trees).unwrap_or(&Self::Neg).collect_shares(share, all),
            Self::Union(branches) => match drawn(branches).as_slice() {
                [] => all.push(Share { share, leaf: None }),
                drawn => drawn.iter().for_each(|(part, tree)| tree.collect_shares(share * part, all)),
            },
        }
    }
}

/// The branches that can be drawn, with their shares.
fn drawn<T>(branches: &[Weighted<T>]) -> Vec<(f64, &NameTree<T>)> {
    let can_be = |branch: &&Weighted<T>| match branch.tree {
        NameTree::Neg | NameTree::Fail | NameTree::Empty => branch.weight.get() > 0.0,
        NameTree::Leaf(_) | NameTree::Alt(_) | NameTree::Union(_) => true,
    };
    let kept: Vec<&Weighted<T>> = branches.iter().filter(can_be).collect();
    let weights: Vec<Weight> = kept.iter().map(|branch| branch.weight).collect();
    shares(&weights).into_iter().zip(kept.into_iter().map(|branch| &branch.tree)).collect()
}

/// The branch in whose share a number is, and where in that share, in `0..1` again.
fn pick<'t, T>(drawn: &[(f64, &'t NameTree<T>)], random: f64) -> Option<(&'t NameTree<T>, f64)> {
    let mut left = random;
    for (share, tree) in drawn {
        if left < *share {
            return Some((tree, left / share));
        }
        left -= share;
    }
    // The shares' sum may be a rounding error below 1.
    drawn.iter().rfind(|(share, _)| *share > 0.0).map(|(_, tree)| (*tree, random))
}

fn first_positive<T>(trees: &[NameTree<T>]) -> Option<&NameTree<T>> {
    trees.iter().find(|tree| !tree.evaluated().is_negative())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtab::Path;

    fn tree(text: &str) -> NameTree<Path> {
        text.parse().unwrap()
    }

    fn shares_of(text: &str) -> Vec<(f64, String)> {
        let shown = |share: Share<'_, Path>| (share.share, share.leaf.map_or_else(String::new, Path::to_string));
        tree(text).shares().into_iter().map(shown).collect()
    }

    #[test]
    fn shares_are_multiplied_out() {
        let expected = [(0.45, "/a"), (0.3, "/b"), (0.25, "")].map(|(share, leaf)| (share, leaf.to_owned()));
        let found = shares_of("3*(3*/a & 2*/b) & $");
        for ((share, leaf), (wanted, name)) in found.into_iter().zip(expected) {
            assert!((share - wanted).abs() < 1e-12 && leaf == name, "{leaf}: {share}");
        }
    }

    #[test]
    fn what_has_no_weight_is_not_drawn() {
        assert_eq!(shares_of("0*$ & /a"), [(1.0, "/a".to_owned())]);
        assert_eq!(shares_of("0*/a & 0*/b"), [(0.5, "/a".to_owned()), (0.5, "/b".to_owned())]);
        assert_eq!(shares_of("0*$ & 0*!"), [(1.0, String::new())]);
        assert_eq!(tree("0*/a & /b").draw(0.0), tree("/b").draw(0.0));
        assert_eq!(tree("0*$ & 0*~").draw(0.5), None);
    }

    #[test]
    fn a_number_draws_the_leaf_in_whose_share_it_is() {
        let tree = tree("/a & 2*(/b & /c) & /d");
        let drawn = |random| tree.draw(random).map(Path::to_string).unwrap_or_default();
        let numbers = [0.0, 0.2499, 0.25, 0.4999, 0.5, 0.7499, 0.75, 0.999_999_999_999_999_9];
        assert_eq!(numbers.map(drawn), ["/a", "/a", "/b", "/b", "/c", "/c", "/d", "/d"]);
        assert_eq!(drawn(1.0), "/d", "even a number that is too great draws something");
    }

    #[test]
    fn alternatives_that_were_not_bound_are_drawn_as_they_evaluate() {
        assert_eq!(tree("~ | (~ & ~) | /b | /c").draw(0.9), tree("/b").draw(0.0));
        assert_eq!(tree("~ | $ | /c").draw(0.9), None);
    }
}

//! Name trees: what a name may lead to, in order and by weight.

use super::weight::Weight;

/// A choice of names. Trees that were parsed have two or more branches at each `Alt` and `Union`; fewer, as a namer may
/// answer, mean what is left: the one branch, or nothing.
#[derive(Debug, Clone, PartialEq)]
pub enum NameTree<T> {
    Leaf(T),
    /// `a | b`: the first that is not negative.
    Alt(Vec<NameTree<T>>),
    /// `3*a & b`: one of them, by weight.
    Union(Vec<Weighted<T>>),
    /// `~`: there is nothing; somewhere else there may be.
    Neg,
    /// `!`: there is nothing, and nothing else is to be tried.
    Fail,
    /// `$`: there is something, with nobody in it.
    Empty,
}

/// A branch of a union.
#[derive(Debug, Clone, PartialEq)]
pub struct Weighted<T> {
    pub weight: Weight,
    pub tree: NameTree<T>,
}

/// What a tree comes down to, weights apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Evaluated<'t, T> {
    Neg,
    Fail,
    /// These leaves, in the order of the tree; none where it is empty.
    Leaves(Vec<&'t T>),
}

impl<T> NameTree<T> {
    /// All of these in turn: `~` for none, the tree itself for one.
    pub fn alternatives(mut trees: Vec<Self>) -> Self {
        match trees.len() {
            0 => Self::Neg,
            1 => trees.swap_remove(0),
            _ => Self::Alt(trees),
        }
    }

    /// One of these by weight: `~` for none, the tree itself, without its weight, for one.
    pub fn union(mut branches: Vec<Weighted<T>>) -> Self {
        match branches.len() {
            0 => Self::Neg,
            1 => branches.swap_remove(0).tree,
            _ => Self::Union(branches),
        }
    }

    /// The same tree with other leaves.
    pub fn map<U>(&self, leaf: &mut impl FnMut(&T) -> U) -> NameTree<U> {
        match self {
            Self::Leaf(value) => NameTree::Leaf(leaf(value)),
            Self::Alt(trees) => NameTree::Alt(trees.iter().map(|tree| tree.map(leaf)).collect()),
            Self::Union(branches) => {
                let branch = |it: &Weighted<T>| Weighted { weight: it.weight, tree: it.tree.map(leaf) };
                NameTree::Union(branches.iter().map(branch).collect())
            }
            Self::Neg => NameTree::Neg,
            Self::Fail => NameTree::Fail,
            Self::Empty => NameTree::Empty,
        }
    }

    /// A tree that means the same and has nothing in it that cannot matter (finagle: `NameTree.simplify`). Weights stay
    /// as they are.
    #[must_use]
    pub fn simplified(self) -> Self {
        match self {
            Self::Alt(trees) => simplified_alternatives(trees),
            Self::Union(branches) => {
                let simple = |it: Weighted<T>| Weighted { tree: it.tree.simplified(), ..it };
                Self::pruned_union(branches.into_iter().map(simple).collect())
            }
            other => other,
        }
    }

    /// A union of trees that are simple already. A branch that fails is no reason for the others to.
    pub(super) fn pruned_union(mut branches: Vec<Weighted<T>>) -> Self {
        if branches.len() > 1 {
            branches.retain(|branch| !matches!(branch.tree, Self::Neg | Self::Fail));
        }
        Self::union(branches)
    }

    /// Every leaf that may be what the tree comes down to (finagle: `NameTree.eval`).
    pub fn evaluated(&self) -> Evaluated<'_, T> {
        match self {
            Self::Leaf(value) => Evaluated::Leaves(vec![value]),
            Self::Empty => Evaluated::Leaves(Vec::new()),
            Self::Neg => Evaluated::Neg,
            Self::Fail => Evaluated::Fail,
            Self::Alt(trees) => {
                let mut outcomes = trees.iter().map(Self::evaluated);
                outcomes.find(|outcome| !outcome.is_negative()).unwrap_or(Evaluated::Neg)
            }
            Self::Union(branches) => match branches.as_slice() {
                [only] => only.tree.evaluated(),
                all => all.iter().fold(Evaluated::Neg, |sum, branch| sum.and(branch.tree.evaluated())),
            },
        }
    }
}

impl<'t, T> Evaluated<'t, T> {
    /// Both, in a union: what is negative or fails adds nothing.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Leaves(mut leaves), Self::Leaves(more)) => {
                leaves.extend(more);
                Self::Leaves(leaves)
            }
            (Self::Leaves(leaves), _) | (_, Self::Leaves(leaves)) => Self::Leaves(leaves),
            _ => Self::Neg,
        }
    }

    pub(super) fn is_negative(&self) -> bool {
        matches!(self, Self::Neg)
    }
}

/// Alternatives without the negative ones and without those behind a failure, which are never reached.
fn simplified_alternatives<T>(trees: Vec<NameTree<T>>) -> NameTree<T> {
    let mut simple = Vec::with_capacity(trees.len());
    for tree in trees {
        match tree.simplified() {
            NameTree::Neg => {}
            NameTree::Fail => {
                simple.push(NameTree::Fail);
                break;
            }
            other => simple.push(other),
        }
    }
    NameTree::alternatives(simple)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtab::Path;

    fn read(text: &str) -> NameTree<Path> {
        text.parse().unwrap()
    }

    #[test]
    fn a_simple_tree_means_the_same() {
        let cases = [
            ("/a | ~ | ! | /b", "/a | !"),
            ("/a & ! & ~", "/a"),
            ("(! & !) | /ok", "/ok"),
            ("~ | (~ & ~)", "~"),
            ("0.5*(/a & ~) & $", "0.5*/a & $"),
            ("$ | ~ | /a", "$ | /a"),
            ("! | !", "!"),
        ];
        for (tree, simple) in cases {
            assert_eq!(read(tree).simplified().to_string(), simple, "{tree}");
        }
    }

    #[test]
    fn trees_that_only_namers_make_are_simplified_too() {
        let one = |tree| NameTree::<Path>::Union(vec![Weighted { weight: Weight::ONE, tree }]);
        assert_eq!(one(NameTree::Fail).simplified(), NameTree::Fail);
        assert_eq!(NameTree::<Path>::Alt(Vec::new()).simplified(), NameTree::Neg);
        assert_eq!(NameTree::<Path>::Union(Vec::new()).evaluated(), Evaluated::Neg);
        assert_eq!(one(NameTree::Fail).evaluated(), Evaluated::Fail);
    }

    #[test]
    fn trees_come_down_to_leaves() {
        let cases = [
            ("~", None),
            ("! | /a", None),
            ("~ & !", None),
            ("/a | /b", Some("/a")),
            ("~ | /b", Some("/b")),
            ("$ | /b", Some("")),
            ("/a & 3*(~ | /b) & ! & $", Some("/a /b")),
        ];
        for (tree, leaves) in cases {
            let shown = match read(tree).evaluated() {
                Evaluated::Leaves(leaves) => {
                    Some(leaves.into_iter().map(Path::to_string).collect::<Vec<_>>().join(" "))
                }
                Evaluated::Neg | Evaluated::Fail => None,
            };
            assert_eq!(shown.as_deref(), leaves, "{tree}");
        }
    }
}

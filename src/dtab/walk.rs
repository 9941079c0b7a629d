//! The one way from a name to what it is bound to, whether somebody watches or not.
//!
//! A name is looked up in the table; its entries' trees are walked, last entry first, until one is not negative. Where
//! no entry is for it, the namers are asked in turn. What they name is looked up again. Errors and names that are not
//! known yet are not stepped over by alternatives, and drop out of unions, as in finagle.

use super::bind::{Bound, Interpreter, Outcome};
use super::chain::Chain;
use super::delegate::Step;
use super::index::Match;
use super::label::Label;
use super::namers::{Answer, system};
use super::path::Path;
use super::tree::{NameTree, Weighted};
use super::unbound::Unbound;

/// Branches of trees inside each other, at most: each costs stack. A hundred look-ups of ordinary trees need 300.
const LEVELS: usize = 1000;

/// Who is told of every step. Steps are nested: each ends before the one in which it began.
pub(super) trait Observer<E> {
    /// Whether alternatives are also walked behind the one that was taken.
    const ALL: bool;

    fn begin(&mut self, step: impl FnOnce() -> Step);
    fn end(&mut self, outcome: &Outcome<E>);
}

/// Nobody watches.
pub(super) struct Silent;

impl<E> Observer<E> for Silent {
    const ALL: bool = false;

    fn begin(&mut self, _: impl FnOnce() -> Step) {}
    fn end(&mut self, _: &Outcome<E>) {}
}

pub(super) struct Walk<'a, E, O> {
    interpreter: &'a Interpreter<'a, E>,
    /// What may still be done to find the answer.
    work: usize,
    /// What may still be done to show what would have been.
    spare: usize,
    is_aside: bool,
    pub(super) observer: O,
}

impl<'a, E: Clone, O: Observer<E>> Walk<'a, E, O> {
    pub(super) fn new(interpreter: &'a Interpreter<'a, E>, observer: O) -> Self {
        let work = interpreter.limits.work;
        Self { interpreter, work, spare: work, is_aside: false, observer }
    }

    /// Binds a name.
    pub(super) fn name(&mut self, path: &Path, chain: Chain<'_>) -> Outcome<E> {
        self.observed(|| Step::Name(path.clone()), |walk| walk.look_up(path, chain))
    }

    /// Binds a tree whose leaves are each followed by the same rest.
    pub(super) fn tree(&mut self, tree: &NameTree<Path>, rest: &[Label], chain: Chain<'_>) -> Outcome<E> {
        let inner = chain.deeper();
        if let Err(reason) = self.spend(inner) {
            return self.observed(|| Step::Cut, |_| Err(reason));
        }
        match tree {
            NameTree::Leaf(path) => self.name(&path.join(rest), inner),
            NameTree::Alt(trees) => {
                self.observed(|| Step::Alt, |walk| walk.first(trees, |walk, tree| walk.tree(tree, rest, inner)))
            }
            NameTree::Union(branches) => match branches.as_slice() {
                [only] => self.tree(&only.tree, rest, inner),
                all => self.observed(|| Step::union(all), |walk| walk.union(all, rest, inner)),
            },
            NameTree::Neg => self.observed(|| Step::Symbol, |_| Ok(NameTree::Neg)),
            NameTree::Fail => self.observed(|| Step::Symbol, |_| Ok(NameTree::Fail)),
            NameTree::Empty => self.observed(|| Step::Symbol, |_| Ok(NameTree::Empty)),
        }
    }

    fn look_up(&mut self, path: &Path, chain: Chain<'_>) -> Outcome<E> {
        let matches = self.interpreter.table.matches(self.interpreter.rules, self.interpreter.local, path);
        match matches.as_slice() {
            [] => self.ask(path, chain),
            // One `~` is the same as no entry; two are alternatives, which hide the namers.
            [only] if matches!(only.dentry.tree, NameTree::Neg) => {
                self.entry(path, *only, chain)?;
                self.ask(path, chain)
            }
            all => {
                self.check_depth(chain)?;
                self.first(all, |walk, entry| walk.entry(path, *entry, chain))
            }
        }
    }

    fn entry(&mut self, path: &Path, entry: Match<'_>, chain: Chain<'_>) -> Outcome<E> {
        let link = chain.link(path, Some(entry));
        let rest = path.labels().get(entry.dentry.prefix.len()..).unwrap_or_default();
        self.observed(|| Step::entry(entry), |walk| walk.tree(&entry.dentry.tree, rest, chain.behind(&link)))
    }

    /// The first that is not negative.
    fn first<T>(&mut self, ways: &[T], mut walk: impl FnMut(&mut Self, &T) -> Outcome<E>) -> Outcome<E> {
        let mut taken = None;
        for way in ways {
            if taken.is_none() {
                taken = Some(walk(self, way)).filter(|outcome| !matches!(outcome, Ok(NameTree::Neg)));
            } else if O::ALL {
                let outer = std::mem::replace(&mut self.is_aside, true);
                // What would have been changes nothing; the observer has seen it.
                let _ = walk(self, way);
                self.is_aside = outer;
            } else {
                break;
            }
        }
        taken.unwrap_or(Ok(NameTree::Neg))
    }

    fn union(&mut self, branches: &[Weighted<Path>], rest: &[Label], chain: Chain<'_>) -> Outcome<E> {
        let (mut bound, mut reasons) = (Vec::new(), Vec::new());
        for branch in branches {
            match self.tree(&branch.tree, rest, chain) {
                Ok(tree) => bound.push(Weighted { weight: branch.weight, tree }),
                Err(reason) if reason.is_final() => return Err(reason),
                Err(reason) => reasons.push(reason),
            }
        }
        if bound.is_empty() && !reasons.is_empty() {
            return Err(Unbound::of_union(reasons));
        }
        Ok(NameTree::pruned_union(bound))
    }

    /// Asks the namers whose prefix starts the path, in turn, then the system's.
    fn ask(&mut self, path: &Path, chain: Chain<'_>) -> Outcome<E> {
        let interpreter = self.interpreter;
        for (prefix, namer) in interpreter.namers.iter() {
            let Some(rest) = path.strip_prefix(prefix) else { continue };
            let step = || Step::Namer(prefix.clone());
            match namer.lookup(rest).behind(prefix.len()) {
                Answer::Neg => self.observed(step, |_| Ok(NameTree::Neg))?,
                answer => return self.observed(step, |walk| walk.answered(answer, path, chain)),
            };
        }
        let Some((prefix, answer)) = system::lookup(path) else {
            return self.check_depth(chain).map(|()| NameTree::Neg);
        };
        self.observed(|| Step::Namer(prefix), |walk| walk.answered(answer?, path, chain))
    }

    fn answered(&mut self, answer: Answer<E>, path: &Path, chain: Chain<'_>) -> Outcome<E> {
        match answer {
            Answer::Pending => Err(Unbound::Pending(vec![path.clone()])),
            Answer::Error(message) => Err(Unbound::Namer { path: path.clone(), message }),
            Answer::Neg => self.check_depth(chain).map(|()| NameTree::Neg),
            Answer::Bound { taken, place } => {
                self.check_depth(chain)?;
                let (id, residual) = path.split_at(taken);
                Ok(NameTree::Leaf(Bound { id, residual, place }))
            }
            Answer::Tree(tree) => {
                self.check_depth(chain)?;
                let link = chain.link(path, None);
                self.tree(&tree, &[], chain.behind(&link))
            }
        }
    }

    fn observed(&mut self, step: impl FnOnce() -> Step, walk: impl FnOnce(&mut Self) -> Outcome<E>) -> Outcome<E> {
        self.observer.begin(step);
        let outcome = walk(self);
        self.observer.end(&outcome);
        outcome
    }

    /// What a look-up at the limit found is not walked any more (finagle: `namerMaxDepth`).
    fn check_depth(&self, chain: Chain<'_>) -> Result<(), Unbound> {
        let limit = self.interpreter.limits.depth;
        if chain.depth < limit {
            return Ok(());
        }
        Err(Unbound::TooDeep { limit, end: chain.unended() })
    }

    fn spend(&mut self, chain: Chain<'_>) -> Result<(), Unbound> {
        let left = if self.is_aside { &mut self.spare } else { &mut self.work };
        match left.checked_sub(1) {
            Some(less) if chain.levels < LEVELS => {
                *left = less;
                Ok(())
            }
            _ => Err(Unbound::TooMuch { limit: self.interpreter.limits.work, end: chain.unended() }),
        }
    }
}

//! The trace of a name: what every look-up found and what became of it, so that people can see why a request goes where
//! it goes. It is made by the same walk that binds, which then also walks the alternatives that were not needed.

use super::bind::{Interpreter, Outcome};
use super::chain::Chain;
use super::dentry::{Dentry, Origin};
use super::index::Match;
use super::path::Path;
use super::tree::{NameTree, Weighted};
use super::unbound::Unbound;
use super::walk::{Observer, Walk};
use super::weight::{Weight, shares};

/// One step, and all that followed from it.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace<E> {
    pub step: Step,
    pub outcome: Outcome<E>,
    /// What became of it in the step that it is part of.
    pub fate: Fate,
    pub parts: Vec<Trace<E>>,
}

/// What was done.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// A name was looked up. Its parts: the entries that are for it, last first; then, where there is none but a `~`,
    /// the namers that were asked.
    Name(Path),
    /// An entry was followed. Its part: its tree.
    Entry { number: usize, origin: Origin, dentry: Dentry },
    /// The namer of this prefix was asked. Its part, where it named other names: their tree.
    Namer(Path),
    /// Alternatives were tried in turn.
    Alt,
    /// The branches of a union were tried, all of them; these are their weights.
    Union(Vec<Weight>),
    /// `~`, `!` or `$` stood there.
    Symbol,
    /// Something stood there that was not looked at, as the limit of work was reached.
    Cut,
}

/// What became of a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fate {
    /// Its outcome is that of what it is part of.
    Taken,
    /// A branch of a union that is there: its share of the requests that come to the union.
    Shares(f64),
    /// There is nothing; the next was tried.
    Negative,
    /// One before it was taken. What it would have been is in its outcome.
    NotNeeded,
    /// A branch of a union that is not there; the others have its share.
    Dropped,
}

impl<E> Trace<E> {
    /// The one part of an entry: its tree. An error where that was not looked at.
    pub fn inner(&self) -> Result<&Self, &Unbound> {
        match (self.parts.first(), &self.outcome) {
            (Some(part), _) => Ok(part),
            (None, Err(reason)) => Err(reason),
            (None, Ok(_)) => Ok(self),
        }
    }

    /// An override that is for the name and has nothing behind it, where its writer did not say that this is welcome
    /// (`~`), and the step in which it was followed. What then comes next is what was not to be called, so a request
    /// that brings it is refused.
    pub fn vain_override(&self) -> Option<(&Dentry, &Self)> {
        if let Step::Entry { origin: Origin::Override, dentry, .. } = &self.step
            && self.fate == Fate::Negative
            && !gives_way(&dentry.tree)
        {
            return Some((dentry, self));
        }
        if self.fate == Fate::NotNeeded {
            return None;
        }
        self.parts.iter().find_map(Self::vain_override)
    }
}

fn gives_way(tree: &NameTree<Path>) -> bool {
    match tree {
        NameTree::Neg => true,
        NameTree::Alt(trees) => trees.iter().any(gives_way),
        NameTree::Union(branches) => branches.iter().any(|branch| gives_way(&branch.tree)),
        NameTree::Leaf(_) | NameTree::Fail | NameTree::Empty => false,
    }
}

impl Step {
    pub(super) fn entry(entry: Match<'_>) -> Self {
        Self::Entry { number: entry.number, origin: entry.origin.owned(), dentry: entry.dentry.clone() }
    }

    pub(super) fn union(branches: &[Weighted<Path>]) -> Self {
        Self::Union(branches.iter().map(|branch| branch.weight).collect())
    }
}

impl<E: Clone> Interpreter<'_, E> {
    /// Binds a name and tells how.
    pub fn delegate(&self, path: &Path) -> Trace<E> {
        let mut walk = Walk::new(self, Recorder { open: Vec::new(), done: None });
        let outcome = walk.name(path, Chain::default());
        let nothing = || Trace { step: Step::Name(path.clone()), outcome, fate: Fate::Taken, parts: Vec::new() };
        walk.observer.done.unwrap_or_else(nothing)
    }
}

/// Puts the steps together as they end.
struct Recorder<E> {
    /// Steps that go on, each with its parts so far.
    open: Vec<(Step, Vec<Trace<E>>)>,
    done: Option<Trace<E>>,
}

impl<E: Clone> Observer<E> for Recorder<E> {
    const ALL: bool = true;

    fn begin(&mut self, step: impl FnOnce() -> Step) {
        self.open.push((step(), Vec::new()));
    }

    fn end(&mut self, outcome: &Outcome<E>) {
        let Some((step, mut parts)) = self.open.pop() else { return };
        match &step {
            Step::Union(weights) => share_out(weights, &mut parts),
            _ => take_first(&mut parts),
        }
        let ended = Trace { step, outcome: outcome.clone(), fate: Fate::Taken, parts };
        match self.open.last_mut() {
            Some((_, parts)) => parts.push(ended),
            None => self.done = Some(ended),
        }
    }
}

/// The first part that is not negative was taken.
fn take_first<E>(parts: &mut [Trace<E>]) {
    let mut next = Fate::Taken;
    for part in parts {
        part.fate = match part.outcome {
            Ok(NameTree::Neg) if next == Fate::Taken => Fate::Negative,
            _ => std::mem::replace(&mut next, Fate::NotNeeded),
        };
    }
}

/// What is there shares the requests, as when a leaf is drawn: without a weight, nobody gets to what is empty.
fn share_out<E>(weights: &[Weight], parts: &mut [Trace<E>]) {
    for (part, weight) in parts.iter_mut().zip(weights) {
        part.fate = match part.outcome {
            Ok(NameTree::Neg | NameTree::Fail) | Err(_) => Fate::Dropped,
            Ok(NameTree::Empty) if weight.get() == 0.0 => Fate::Shares(0.0),
            Ok(NameTree::Leaf(_) | NameTree::Alt(_) | NameTree::Union(_) | NameTree::Empty) => Fate::Taken,
        };
    }
    let is_drawn = |part: &Trace<E>| part.fate == Fate::Taken;
    let drawn: Vec<Weight> =
        parts.iter().zip(weights).filter(|(part, _)| is_drawn(part)).map(|(_, weight)| *weight).collect();
    for (part, share) in parts.iter_mut().filter(|part| is_drawn(part)).zip(shares(&drawn)) {
        part.fate = Fate::Shares(share);
    }
}

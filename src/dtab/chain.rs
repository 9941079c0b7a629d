//! How a name came to be looked up: the names before it, back to the request's own.

use std::fmt;

use super::dentry::Dentry;
use super::index::Match;
use super::path::Path;

/// The way to a place in a tree. It is on the stack of those who walk: nothing is allocated before something is wrong.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Chain<'c> {
    last: Option<&'c Link<'c>>,
    /// Names looked up.
    pub(super) depth: usize,
    /// Branches of trees, one inside the other.
    pub(super) levels: usize,
}

/// A name that was looked up, and the entry that led on from there; none where a namer did.
#[derive(Debug)]
pub(super) struct Link<'c> {
    path: &'c Path,
    entry: Option<Match<'c>>,
    before: Option<&'c Link<'c>>,
}

/// Where a way was given up.
#[derive(Debug, Clone, PartialEq)]
pub enum Unended {
    /// It went round.
    Round(Cycle),
    /// It was only long; this is the name at which it was given up.
    At(Path),
}

/// Entries that lead back to each other.
#[derive(Debug, Clone, PartialEq)]
pub struct Cycle {
    /// The name that came in.
    pub path: Path,
    /// The entries that it then met again and again, in this order.
    pub entries: Vec<Dentry>,
}

impl<'c> Chain<'c> {
    /// The way on from a name, through this entry of the table or through a namer.
    pub(super) fn link(&self, path: &'c Path, entry: Option<Match<'c>>) -> Link<'c> {
        Link { path, entry, before: self.last }
    }

    /// The way behind a link.
    pub(super) fn behind(&self, link: &'c Link<'c>) -> Self {
        Self { last: Some(link), depth: self.depth + 1, levels: self.levels }
    }

    /// The way into a branch.
    pub(super) fn deeper(&self) -> Self {
        Self { levels: self.levels + 1, ..*self }
    }

    /// The way, given up.
    pub(super) fn unended(&self) -> Box<Unended> {
        let last = || self.last.map(|link| link.path.clone()).unwrap_or_default();
        Box::new(self.cycle().map_or_else(|| Unended::At(last()), Unended::Round))
    }

    /// What goes round at the end of the way, if that is what its last links do. Three rounds count: an entry that takes
    /// one element off may well be met twice.
    fn cycle(&self) -> Option<Cycle> {
        let links: Vec<&Link<'_>> = std::iter::successors(self.last, |link| link.before).collect();
        let numbers: Vec<Option<usize>> = links.iter().map(|link| link.entry.map(|entry| entry.number)).collect();
        let goes_round = |length: &usize| numbers[..2 * length] == numbers[*length..3 * length];
        let length = (1..=numbers.len() / 3).find(goes_round)?;
        // Back to where the first round began.
        let repeats = numbers.iter().zip(&numbers[length..]).take_while(|(one, before)| one == before).count();
        let first = repeats + length - 1;
        let round = links[first + 1 - length..=first].iter().rev();
        let entries: Vec<Dentry> = round.filter_map(|link| Some(link.entry?.dentry.clone())).collect();
        (!entries.is_empty()).then(|| Cycle { path: links[first].path.clone(), entries })
    }
}

impl fmt::Display for Unended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Round(cycle) => write!(f, "there is no end: {cycle}"),
            Self::At(path) => write!(f, "{path} is not the end yet"),
        }
    }
}

impl fmt::Display for Cycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries: Vec<String> = self.entries.iter().map(|entry| format!("`{entry}`")).collect();
        match entries.as_slice() {
            [only] => write!(f, "from {} on, {only} leads back to itself", self.path),
            all => write!(f, "from {} on, these entries lead back to each other: {}", self.path, all.join(", ")),
        }
    }
}

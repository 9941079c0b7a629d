//! Whose a change is that comes while tasks run: the run's own, or that of somebody who saves a file meanwhile.
//!
//! Nothing tells who wrote a file, so it is judged by when it changes and what is in it then. In doubt it is somebody's: a
//! run too many costs its time, a save that nobody saw costs trust.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What the manifest says of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Declared {
    Input,
    Output,
}

/// A change that was found when a run had ended.
#[derive(Debug, Clone)]
pub struct Change {
    pub path: PathBuf,
    /// It was not there before the run.
    pub is_new: bool,
    /// What stands for what is in it now; nothing where it is gone.
    pub content: Option<String>,
    pub declared: Option<Declared>,
}

/// What came of looking at the changes of a run.
#[derive(Debug, PartialEq, Eq)]
pub enum Judged {
    /// The run itself wrote them, or there are none.
    Own,
    /// Somebody saved these, as far as anybody can tell.
    Saved(Vec<PathBuf>),
    /// The same, after too many runs on end that nobody asked for. From now on these are taken for what runs write.
    Endless(Vec<PathBuf>),
}

/// So many runs on end for what was saved meanwhile: a person rests at some time, and a task that changes what it reads
/// never does.
const MOST: u32 = 10;

/// What is known of files by now.
#[derive(Debug, Default)]
pub struct Whose {
    has_run: bool,
    /// Were saved while nothing ran.
    people: BTreeSet<PathBuf>,
    /// Are written by the runs.
    runs: BTreeSet<PathBuf>,
    /// What was in those that changed during runs, when such a run had ended.
    seen: BTreeMap<PathBuf, Option<String>>,
    /// Runs on end that nobody asked for.
    unasked: u32,
}

impl Whose {
    /// Judges what changed during a run.
    pub fn during(&mut self, changes: impl IntoIterator<Item = Change>) -> Judged {
        let is_first = !std::mem::replace(&mut self.has_run, true);
        let saved: Vec<PathBuf> =
            changes.into_iter().filter_map(|change| self.is_saved(&change, is_first).then_some(change.path)).collect();
        if saved.is_empty() {
            return Judged::Own;
        }
        self.unasked += 1;
        if self.unasked < MOST {
            return Judged::Saved(saved);
        }
        self.runs.extend(saved.iter().cloned());
        Judged::Endless(saved)
    }

    /// These were saved while nothing ran.
    pub fn between<'a>(&mut self, paths: impl IntoIterator<Item = &'a Path>) {
        self.unasked = 0;
        for path in paths {
            self.runs.remove(path);
            self.people.insert(path.to_owned());
        }
    }

    fn is_saved(&mut self, change: &Change, is_first: bool) -> bool {
        let path = &change.path;
        let is_source = change.declared == Some(Declared::Input) || self.people.contains(path);
        if change.declared == Some(Declared::Output) || self.runs.contains(path) {
            return false;
        }
        // Who saves a file that the first run is to see has it before; who begins one meanwhile saves it again.
        if is_first && change.is_new && !is_source {
            self.runs.insert(path.clone());
            return false;
        }
        let last = self.seen.insert(path.clone(), change.content.clone());
        // Written anew with what was in it when this run began: whoever did it, the run has seen that.
        let is_same = last.is_some_and(|last| last == change.content);
        if is_same && !is_source {
            self.runs.insert(path.clone());
        }
        !is_same
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(name: &str, content: &str) -> Change {
        Change { path: name.into(), is_new: false, content: Some(content.to_owned()), declared: None }
    }

    fn saved(name: &str) -> Judged {
        Judged::Saved(vec![name.into()])
    }

    #[test]
    fn what_the_manifest_says_decides() {
        let mut whose = Whose::default();
        for content in ["1", "2", "3"] {
            let declared = |name, declared| Change { declared: Some(declared), is_new: true, ..change(name, content) };
            let judged = whose.during([declared("in", Declared::Input), declared("out", Declared::Output)]);
            assert_eq!(judged, saved("in"));
        }
    }

    #[test]
    fn what_the_first_run_makes_is_its_own_until_somebody_saves_it() {
        let mut whose = Whose::default();
        let made = Change { is_new: true, ..change("log", "1") };
        assert_eq!(whose.during([made.clone()]), Judged::Own);
        assert_eq!(whose.during([change("log", "2")]), Judged::Own);
        // In a later run a new file may be anybody's.
        assert_eq!(whose.during([Change { path: "b".into(), ..made }]), saved("b"));
        whose.between([Path::new("log")]);
        assert_eq!(whose.during([change("log", "3")]), saved("log"));
    }

    #[test]
    fn what_somebody_saves_again_and_again_counts_each_time() {
        let mut whose = Whose::default();
        for content in ["1", "2", "3", "4"] {
            assert_eq!(whose.during([change("src", content)]), saved("src"));
        }
    }

    #[test]
    fn what_is_written_anew_with_the_same_in_it_is_the_runs_own() {
        let mut whose = Whose::default();
        assert_eq!(whose.during([change("gen", "1")]), saved("gen"));
        assert_eq!(whose.during([change("gen", "1")]), Judged::Own);
        assert_eq!(whose.during([change("gen", "2")]), Judged::Own);
    }

    #[test]
    fn what_is_never_the_same_ends_some_time() {
        let mut whose = Whose::default();
        whose.between([Path::new("time")]);
        let judged: Vec<Judged> = (0..MOST).map(|round| whose.during([change("time", &round.to_string())])).collect();
        assert_eq!(judged.iter().filter(|it| **it == saved("time")).count(), MOST as usize - 1);
        assert_eq!(judged.last(), Some(&Judged::Endless(vec!["time".into()])));
        assert_eq!(whose.during([change("time", "x")]), Judged::Own);
        whose.between([Path::new("other")]);
        assert_eq!(whose.during([change("time", "y")]), Judged::Own);
    }
}

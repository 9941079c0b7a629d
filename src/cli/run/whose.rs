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
    /// The same after too many runs on end that nobody asked for: another one would be no different.
    Endless {
        /// Changed in each of those runs. From now on these are taken for what runs write.
        always: Vec<PathBuf>,
        /// Changed in the last of them.
        others: Vec<PathBuf>,
    },
}

/// So many runs on end for what was saved meanwhile: a person rests at some time, and a task that changes what it reads
/// never does.
pub const MOST: u32 = 10;

/// What is known of files by now.
#[derive(Debug, Default)]
pub struct Whose {
    runs_so_far: u32,
    /// Were saved while nothing ran.
    people: BTreeSet<PathBuf>,
    /// Are written by the runs.
    runs: BTreeSet<PathBuf>,
    /// Those that changed during runs, and may be either's.
    seen: BTreeMap<PathBuf, Seen>,
    /// Runs on end that nobody asked for.
    unasked: u32,
}

/// A file when a run that changed it had ended.
#[derive(Debug)]
struct Seen {
    content: Option<String>,
    /// In which run that was, from 1.
    run: u32,
    /// How many runs on end had changed it by then.
    streak: u32,
    /// The first run had it made.
    is_firsts: bool,
}

impl Whose {
    /// Judges what changed during a run.
    pub fn during(&mut self, changes: impl IntoIterator<Item = Change>) -> Judged {
        self.runs_so_far += 1;
        let saved: Vec<PathBuf> =
            changes.into_iter().filter_map(|change| self.is_saved(&change).then_some(change.path)).collect();
        if saved.is_empty() {
            return Judged::Own;
        }
        self.unasked += 1;
        if self.unasked < MOST {
            return Judged::Saved(saved);
        }
        let is_endless = |path: &PathBuf| self.seen.get(path).is_some_and(|seen| seen.streak >= MOST);
        let (always, others): (Vec<_>, Vec<_>) = saved.into_iter().partition(is_endless);
        self.runs.extend(always.iter().cloned());
        Judged::Endless { always, others }
    }

    /// These were saved while nothing ran.
    pub fn between<'a>(&mut self, paths: impl IntoIterator<Item = &'a Path>) {
        self.unasked = 0;
        for path in paths {
            self.runs.remove(path);
            self.seen.remove(path);
            self.people.insert(path.to_owned());
        }
    }

    fn is_saved(&mut self, change: &Change) -> bool {
        let path = &change.path;
        if change.declared == Some(Declared::Output) || self.runs.contains(path) {
            return false;
        }
        let last = self.seen.remove(path);
        let is_source = change.declared == Some(Declared::Input) || self.people.contains(path);
        // Written anew with what was in it when this run began: whoever did it, the run has seen that.
        let is_same = last.as_ref().is_some_and(|last| last.content == change.content);
        // The first run and the second wrote it; before, there was none.
        let is_made = last.as_ref().is_some_and(|last| last.is_firsts && last.run + 1 == self.runs_so_far);
        if !is_source && (is_same || is_made) {
            self.runs.insert(path.clone());
            return false;
        }
        let on_end = last.filter(|last| last.run + 1 == self.runs_so_far).map_or(0, |last| last.streak);
        let (run, streak) = (self.runs_so_far, on_end + 1);
        let is_firsts = run == 1 && change.is_new;
        self.seen.insert(path.clone(), Seen { content: change.content.clone(), run, streak, is_firsts });
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
    fn what_the_first_runs_make_is_their_own_until_somebody_saves_it() {
        let mut whose = Whose::default();
        let made = |content| Change { is_new: true, ..change("log", content) };
        // It may be somebody's, until the next run does the same.
        assert_eq!(whose.during([made("1")]), saved("log"));
        assert_eq!(whose.during([change("log", "2")]), Judged::Own);
        assert_eq!(whose.during([change("log", "3")]), Judged::Own);
        whose.between([Path::new("log")]);
        assert_eq!(whose.during([change("log", "4")]), saved("log"));
        // In a later run a new file may be anybody's.
        assert_eq!(whose.during([Change { path: "b".into(), ..made("1") }]), saved("b"));
        assert_eq!(whose.during([change("b", "2")]), saved("b"));
    }

    #[test]
    fn what_was_other_meanwhile_is_saved_again_whatever_is_in_it() {
        let mut whose = Whose::default();
        assert_eq!(whose.during([change("a", "1")]), saved("a"));
        whose.between([Path::new("a")]);
        assert_eq!(whose.during([change("a", "1")]), saved("a"));
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
        let judged: Vec<Judged> = (0..MOST)
            .map(|round| {
                let new = Change { path: format!("new{round}").into(), is_new: true, ..change("", "") };
                whose.during([change("time", &round.to_string()), new])
            })
            .collect();
        assert!(judged[..judged.len() - 1].iter().all(|it| matches!(it, Judged::Saved(saved) if saved.len() == 2)));
        let others = vec![format!("new{}", MOST - 1).into()];
        assert_eq!(judged.last(), Some(&Judged::Endless { always: vec!["time".into()], others }));
        assert_eq!(whose.during([change("time", "x")]), Judged::Own);
        whose.between([Path::new("other")]);
        assert_eq!(whose.during([change("time", "y")]), Judged::Own);
    }
}

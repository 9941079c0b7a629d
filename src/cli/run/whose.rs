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
    pub declared: Option<Declared>,
}

/// What came of looking at the changes of a run.
#[derive(Debug, PartialEq, Eq)]
pub enum Judged {
    /// The run itself wrote them, or there are none.
    Own,
    /// Somebody saved these, as far as anybody can tell.
    Saved(Vec<PathBuf>),
    /// The same after too many runs on end that nobody asked for: another one would be no different. Those that changed
    /// in each of these are taken for what runs write, and not among them.
    Endless(Vec<PathBuf>),
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
    /// Those of `runs` that nobody was told of yet.
    untold: Vec<PathBuf>,
    /// Runs on end that nobody asked for.
    unasked: u32,
}

/// A file when a run that changed it had ended.
#[derive(Debug)]
struct Seen {
    /// What stands for what was in it then; nothing where it was gone.
    content: Option<String>,
    /// A run before has written it anew with what was in it.
    was_same: bool,
    /// In which run that was, from 1.
    run: u32,
    /// How many runs on end had changed it by then.
    streak: u32,
    /// The first run had it made.
    is_firsts: bool,
}

impl Whose {
    /// Judges what changed during a run. `content` tells what stands for what is in a file now; nothing where it is gone.
    pub fn during(
        &mut self,
        changes: impl IntoIterator<Item = Change>,
        content: impl Fn(&Path) -> Option<String>,
    ) -> Judged {
        self.runs_so_far += 1;
        let is_saved = |change: Change| self.is_saved(&change, &content).then_some(change.path);
        let saved: Vec<PathBuf> = changes.into_iter().filter_map(is_saved).collect();
        if saved.is_empty() {
            return Judged::Own;
        }
        self.unasked += 1;
        if self.unasked < MOST {
            return Judged::Saved(saved);
        }
        let is_endless = |path: &PathBuf| self.seen.get(path).is_some_and(|seen| seen.streak >= MOST);
        let (always, others): (Vec<PathBuf>, Vec<PathBuf>) = saved.into_iter().partition(is_endless);
        self.runs.extend(always.iter().cloned());
        self.untold.extend(always);
        Judged::Endless(others)
    }

    /// Those that are taken for what runs write, and were not when this was last asked.
    pub fn taken(&mut self) -> Vec<PathBuf> {
        std::mem::take(&mut self.untold)
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

    fn is_saved(&mut self, change: &Change, content: impl Fn(&Path) -> Option<String>) -> bool {
        let path = &change.path;
        if change.declared == Some(Declared::Output) || self.runs.contains(path) {
            return false;
        }
        let content = content(path);
        let last = self.seen.remove(path);
        let is_source = change.declared == Some(Declared::Input) || self.people.contains(path);
        // Written anew with what was in it when this run began: whoever did it, the run has seen that. Nobody does it twice.
        let is_same = last.as_ref().is_some_and(|last| last.content == content);
        let was_same = last.as_ref().is_some_and(|last| last.was_same);
        // The first run and the second wrote it; before, there was none.
        let is_made = last.as_ref().is_some_and(|last| last.is_firsts && last.run + 1 == self.runs_so_far);
        if !is_source && (is_same && was_same || is_made) {
            self.runs.insert(path.clone());
            self.untold.push(path.clone());
            return false;
        }
        let on_end = last.filter(|last| last.run + 1 == self.runs_so_far).map_or(0, |last| last.streak);
        let (run, streak) = (self.runs_so_far, on_end + 1);
        let is_firsts = run == 1 && change.is_new;
        let was_same = was_same || is_same;
        self.seen.insert(path.clone(), Seen { content, was_same, run, streak, is_firsts });
        !is_same
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(name: &str, content: &str) -> (Change, String) {
        (Change { path: name.into(), is_new: false, declared: None }, content.to_owned())
    }

    /// What is judged of files and what is in them now.
    fn during<const N: usize>(whose: &mut Whose, changes: [(Change, String); N]) -> Judged {
        let content: BTreeMap<PathBuf, String> =
            changes.iter().map(|(it, text)| (it.path.clone(), text.clone())).collect();
        whose.during(changes.map(|(change, _)| change), |path| content.get(path).cloned())
    }

    fn saved(name: &str) -> Judged {
        Judged::Saved(vec![name.into()])
    }

    #[test]
    fn what_the_manifest_says_decides() {
        let mut whose = Whose::default();
        for content in ["1", "2", "3"] {
            let declared = |name, declared| {
                let (it, content) = change(name, content);
                (Change { declared: Some(declared), is_new: true, ..it }, content)
            };
            let judged = during(&mut whose, [declared("in", Declared::Input), declared("out", Declared::Output)]);
            assert_eq!(judged, saved("in"));
        }
    }

    #[test]
    fn what_the_first_runs_make_is_their_own_until_somebody_saves_it() {
        let mut whose = Whose::default();
        let made = |name, content| {
            let (it, content) = change(name, content);
            (Change { is_new: true, ..it }, content)
        };
        // It may be somebody's, until the next run does the same.
        assert_eq!(during(&mut whose, [made("log", "1")]), saved("log"));
        assert_eq!(during(&mut whose, [change("log", "2")]), Judged::Own);
        assert_eq!(whose.taken(), [PathBuf::from("log")], "and nobody is left to wonder");
        assert!(whose.taken().is_empty(), "once is enough");
        assert_eq!(during(&mut whose, [change("log", "3")]), Judged::Own);
        whose.between([Path::new("log")]);
        assert_eq!(during(&mut whose, [change("log", "4")]), saved("log"));
        // In a later run a new file may be anybody's.
        assert_eq!(during(&mut whose, [made("b", "1")]), saved("b"));
        assert_eq!(during(&mut whose, [change("b", "2")]), saved("b"));
    }

    #[test]
    fn what_was_other_meanwhile_is_saved_again_whatever_is_in_it() {
        let mut whose = Whose::default();
        assert_eq!(during(&mut whose, [change("a", "1")]), saved("a"));
        whose.between([Path::new("a")]);
        assert_eq!(during(&mut whose, [change("a", "1")]), saved("a"));
    }

    #[test]
    fn what_somebody_saves_again_and_again_counts_each_time() {
        let mut whose = Whose::default();
        for content in ["1", "2", "3", "4"] {
            assert_eq!(during(&mut whose, [change("src", content)]), saved("src"));
        }
    }

    #[test]
    fn what_is_written_anew_with_the_same_in_it_is_the_runs_own() {
        let mut whose = Whose::default();
        assert_eq!(during(&mut whose, [change("gen", "1")]), saved("gen"));
        assert_eq!(during(&mut whose, [change("gen", "1")]), Judged::Own);
        // Once may have been somebody's hand.
        assert_eq!(during(&mut whose, [change("gen", "2")]), saved("gen"));
        assert_eq!(during(&mut whose, [change("gen", "2")]), Judged::Own);
        assert_eq!(during(&mut whose, [change("gen", "3")]), Judged::Own);
    }

    #[test]
    fn what_is_never_the_same_ends_some_time() {
        let mut whose = Whose::default();
        whose.between([Path::new("time")]);
        let judged: Vec<Judged> = (0..MOST)
            .map(|round| {
                let (new, content) = change(&format!("new{round}"), "");
                let new = (Change { is_new: true, ..new }, content);
                during(&mut whose, [change("time", &round.to_string()), new])
            })
            .collect();
        assert!(judged[..judged.len() - 1].iter().all(|it| matches!(it, Judged::Saved(saved) if saved.len() == 2)));
        let others = vec![format!("new{}", MOST - 1).into()];
        assert_eq!(judged.last(), Some(&Judged::Endless(others)));
        assert_eq!(whose.taken(), [PathBuf::from("time")]);
        assert_eq!(during(&mut whose, [change("time", "x")]), Judged::Own);
        whose.between([Path::new("other")]);
        assert_eq!(during(&mut whose, [change("time", "y")]), Judged::Own);
    }
}

//! Programs that share a name: what is on PATH may be somebody else's.
//!
//! Whose a program is can be seen in its file without running it: a script names what it imports, and a binary holds
//! the names of its own parts.

/// A name that several programs have.
#[derive(Debug)]
pub struct Ambiguous {
    pub program: &'static str,
    /// What a runner of ours means by it.
    pub wanted: &'static str,
    /// Texts that only the file of that one has.
    marks: &'static [&'static str],
    /// Others of this name, with texts that only their files have.
    others: &'static [(&'static str, &'static [&'static str])],
    /// How to get the right one.
    pub hint: &'static str,
}

const AMBIGUOUS: &[Ambiguous] = &[
    Ambiguous {
        program: "task",
        wanted: "go-task",
        marks: &["go-task/task"],
        others: &[("taskipy", &["taskipy"]), ("Taskwarrior", &["taskwarrior", "TASKRC"])],
        hint: "install go-task, or put it first on PATH (some packages call it `go-task`)",
    },
    Ambiguous {
        program: "just",
        wanted: "just",
        marks: &["justfile"],
        others: &[("just-scripts of npm", &["just-scripts", "just-task"])],
        hint: "install just (just.systems), or put it first on PATH",
    },
    Ambiguous {
        program: "moon",
        wanted: "moon of moonrepo",
        marks: &["moonrepo"],
        others: &[("MoonScript", &["moonscript"])],
        hint: "install moon (moonrepo.dev), or put it first on PATH",
    },
    Ambiguous {
        program: "rush",
        wanted: "Rush of Microsoft",
        marks: &["@microsoft/rush", "rush-lib"],
        others: &[("the restricted user shell", &["rush.rc", "Restricted User Shell"])],
        hint: "`npm install -g @microsoft/rush`, or put it first on PATH",
    },
    Ambiguous {
        program: "tilt",
        wanted: "Tilt",
        marks: &["tilt-dev"],
        others: &[("tilt of Ruby", &["gem 'tilt'", "Gem.bin_path('tilt'", "Gem.activate_bin_path('tilt'"])],
        hint: "install Tilt (tilt.dev), or put it first on PATH",
    },
];

impl Ambiguous {
    /// What is known of a program's name.
    pub fn of(program: &str) -> Option<&'static Self> {
        AMBIGUOUS.iter().find(|it| it.program == program)
    }
}

/// Whose a program of an ambiguous name is, by the bytes of its file: the wanted one's, another's, or unknown.
pub fn owner(ambiguous: &Ambiguous, bytes: &[u8]) -> Option<&'static str> {
    let has = |marks: &[&str]| marks.iter().any(|mark| memchr::memmem::find(bytes, mark.as_bytes()).is_some());
    if has(ambiguous.marks) {
        return Some(ambiguous.wanted);
    }
    ambiguous.others.iter().find(|(_, marks)| has(marks)).map(|(owner, _)| *owner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_programs_are_called_task() {
        let task = Ambiguous::of("task").unwrap();
        assert_eq!(owner(task, b"#!/usr/bin/python3\nfrom taskipy.cli import main\n"), Some("taskipy"));
        assert_eq!(owner(task, b"\x7fELF..github.com/go-task/task/v3.."), Some("go-task"));
        assert_eq!(owner(task, b"\x7fELF..taskwarrior.."), Some("Taskwarrior"));
        assert_eq!(owner(task, b"#!/bin/sh\n"), None);
        assert!(Ambiguous::of("make").is_none());
    }
}

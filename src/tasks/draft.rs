//! How readers write down a task, and what can be told of what they wrote.

use super::{Argument, Definition, Description, Draft, Kind, Origin};

/// Systems by the words of runners.
const SYSTEMS: [&str; 11] =
    ["android", "darwin", "dragonfly", "freebsd", "linux", "macos", "netbsd", "openbsd", "solaris", "unix", "windows"];

impl Draft {
    /// A task that stands in its file.
    pub fn new(name: impl Into<String>, line: usize) -> Self {
        Self {
            name: name.into(),
            line,
            description: None,
            command: String::new(),
            arguments: Vec::new(),
            depends_on: Vec::new(),
            aliases: Vec::new(),
            group: None,
            kind: Kind::Task,
            private: false,
            definition: Definition::Literal,
            platforms: Vec::new(),
            file: None,
            words: None,
            folder: None,
        }
    }

    /// The same with a description, unless it is empty or there is one.
    pub fn describe(mut self, text: Option<impl AsRef<str>>, origin: Origin) -> Self {
        let text = text.map(|text| text.as_ref().split_whitespace().collect::<Vec<_>>().join(" ")).unwrap_or_default();
        if self.description.is_none() && !text.is_empty() {
            self.description = Some(Description { text, origin });
        }
        self
    }

    /// The same with what it runs.
    pub fn runs(mut self, command: impl Into<String>) -> Self {
        self.command = command.into();
        self
    }

    /// The same with tasks that come before it.
    pub fn after(mut self, names: Vec<String>) -> Self {
        self.depends_on = names;
        self
    }

    /// The same as another kind of thing.
    pub fn kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    /// The same, private or not.
    pub fn private(mut self, private: bool) -> Self {
        self.private = private;
        self
    }

    /// The same with how it came to be.
    pub fn definition(mut self, definition: Definition) -> Self {
        self.definition = definition;
        self
    }

    /// The same in a group.
    pub fn group(mut self, group: Option<impl Into<String>>) -> Self {
        self.group = group.map(Into::into);
        self
    }

    /// The same with the words that run it.
    pub fn words<W: Into<String>>(mut self, words: impl IntoIterator<Item = W>) -> Self {
        self.words = Some(words.into_iter().map(Into::into).collect());
        self
    }

    /// Whether it works on this system, as far as it says where it does.
    pub fn is_for_here(&self) -> bool {
        let os = std::env::consts::OS;
        let is_here = |it: &str| it == os || it == "unix" && cfg!(unix) || it == "darwin" && os == "macos";
        // `linux/amd64`, or an architecture alone: where that is not meant its runner says so.
        let of = |it: &str| it.split('/').next().unwrap_or(it).to_lowercase();
        let is_os = |it: &str| SYSTEMS.contains(&it);
        self.platforms.is_empty() || self.platforms.iter().map(|it| of(it)).any(|it| is_here(&it) || !is_os(&it))
    }

    /// The first line of what it runs that does something: not the name of the program that reads the rest (`#!`), and no
    /// comment.
    pub fn gist(&self) -> &str {
        let is_idle = |line: &&str| line.is_empty() || line.starts_with('#');
        self.command.lines().map(str::trim).find(|line| !is_idle(line)).unwrap_or("")
    }

    /// The same with its arguments.
    pub fn arguments(mut self, arguments: Vec<Argument>) -> Self {
        self.arguments = arguments;
        self
    }
}

impl Argument {
    /// One that may be left out.
    pub fn optional(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// One that must be given.
    pub fn required(name: impl Into<String>) -> Self {
        Self { required: true, ..Self::optional(name) }
    }

    /// The same with the value that it has when it is left out.
    pub fn or(mut self, default: Option<impl Into<String>>) -> Self {
        self.default = default.map(Into::into);
        self
    }

    /// The same with what it is for.
    pub fn about(mut self, text: Option<impl Into<String>>) -> Self {
        self.description = text.map(Into::into);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms_are_of_this_system_or_not() {
        let draft = |platforms: &[&str]| Draft {
            platforms: platforms.iter().map(|&it| it.to_owned()).collect(),
            ..Draft::new("x", 1)
        };
        let own = std::env::consts::OS;
        let own_and_arch = format!("{own}/riscv64");
        for here in [&[][..], &[own], &["plan9x", "amd64"], &["windows", own], &[&own_and_arch], &["unix"]] {
            assert!(draft(here).is_for_here(), "{here:?}");
        }
        let other = if own == "windows" { "linux" } else { "windows" };
        assert!(!draft(&[other, "dragonfly", "openbsd/amd64"]).is_for_here());
    }

    #[test]
    fn the_gist_is_what_is_done_first() {
        let gist = |command: &str| Draft::new("x", 1).runs(command).gist().to_owned();
        assert_eq!(gist("#!/usr/bin/env bash\n\n# why\n  make all\nmake more"), "make all");
        assert_eq!(gist("#!/bin/sh\n"), "");
    }
}

//! What a runner is, and the table of all of them.

use serde::de::{Deserialize, Deserializer, Error};

use super::look::Look;
use super::runners::{
    cargo, ci, clojure, compose, composer, containers, deno, dotnet, editors, elixir, github, go_task, gradle, hooks,
    javascript, just, jvm, mage, make, markdown, mise, monorepo, moon, native, npm, nx, own, pyproject, python, rake,
    rare, ruby, scripts, services, tox,
};
use super::{Draft, Gap, Unreadable};

/// A program that runs tasks, and how its files are known and read.
#[derive(Debug)]
pub struct Runner {
    /// The word for users, JSON and ids.
    pub id: &'static str,
    /// Only the first of these that a project has is read. A pattern is the end of a path, see `walk::Finder`.
    pub first: &'static [&'static str],
    /// All of these are read.
    pub every: &'static [&'static str],
    pub read: fn(&Look<'_>) -> Read,
    /// How its program is found.
    pub via: Via,
    /// The words that run a task, where `{}` is the task's name. Empty where nothing can run one here.
    pub command: &'static [&'static str],
}

/// How the program of a runner is found, before PATH is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// By its name alone.
    Path,
    /// As a script of package.json: the package manager runs it.
    Script,
    /// As a program of a dependency: the package manager finds it.
    NodeProgram,
    /// As a program of the project's Python environment.
    Python,
    /// As a binstub in `bin/`, or by bundler.
    Ruby,
    /// As a script of one of these names here or in a folder above, which the project brings with it.
    Wrapper(&'static [&'static str]),
}

/// What a reader finds in a file: nothing where the file is not for its runner, though it could have been.
pub type Read = Result<Option<Reading>, Unreadable>;

/// Tasks and gaps of one file and what it includes.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Reading {
    pub tasks: Vec<Draft>,
    pub gaps: Vec<Gap>,
}

impl Runner {
    /// A runner that is found on PATH.
    pub const fn new(id: &'static str, read: fn(&Look<'_>) -> Read) -> Self {
        Self { id, first: &[], every: &[], read, via: Via::Path, command: &[] }
    }

    /// The same, reading the first of these files.
    pub const fn first(mut self, files: &'static [&'static str]) -> Self {
        self.first = files;
        self
    }

    /// The same, reading all of these files.
    pub const fn every(mut self, files: &'static [&'static str]) -> Self {
        self.every = files;
        self
    }

    /// The same, with its way to run a task.
    pub const fn runs(mut self, via: Via, command: &'static [&'static str]) -> Self {
        self.via = via;
        self.command = command;
        self
    }
}

impl Reading {
    /// All of a file.
    pub fn of(tasks: Vec<Draft>) -> Self {
        Self { tasks, gaps: Vec::new() }
    }

    /// Counts one more thing that cannot be known.
    pub fn gap(&mut self, reason: impl Into<String>) {
        let reason = reason.into();
        match self.gaps.iter_mut().find(|gap| gap.reason == reason) {
            Some(gap) => gap.count += 1,
            None => self.gaps.push(Gap { reason, count: 1 }),
        }
    }

    /// Says that there may be more, nobody knows how much.
    pub fn uncounted(&mut self, reason: impl Into<String>) {
        let gap = Gap { reason: reason.into(), count: 0 };
        if !self.gaps.contains(&gap) {
            self.gaps.push(gap);
        }
    }

    /// Adds what an included file has.
    pub fn absorb(&mut self, other: Self) {
        self.tasks.extend(other.tasks);
        for gap in other.gaps {
            match self.gaps.iter_mut().find(|it| it.reason == gap.reason) {
                Some(own) => own.count += gap.count,
                None => self.gaps.push(gap),
            }
        }
    }

    /// The reading, unless there is nothing in it.
    pub fn unless_empty(self) -> Option<Self> {
        (!self.tasks.is_empty() || !self.gaps.is_empty()).then_some(self)
    }
}

/// Every runner there is, those that most projects have first. A new one is a file in `runners/` and a row here.
pub const RUNNERS: &[Runner] = &[
    npm::RUNNER,
    make::RUNNER,
    just::RUNNER,
    own::RUNNER,
    go_task::RUNNER,
    cargo::RUNNER,
    deno::RUNNER,
    compose::RUNNER,
    composer::RUNNER,
    rake::RUNNER,
    jvm::MAVEN,
    gradle::RUNNER,
    tox::RUNNER,
    native::CMAKE_RUNNER,
    services::PROCFILE,
    scripts::RUNNER,
    monorepo::TURBO,
    nx::RUNNER,
    moon::RUNNER,
    monorepo::LERNA,
    monorepo::LAGE,
    monorepo::RUSH,
    javascript::GULP,
    javascript::GRUNT,
    javascript::JAKE,
    javascript::HEREBY,
    javascript::JUST_SCRIPTS,
    javascript::NPS,
    pyproject::POE,
    pyproject::PDM,
    pyproject::hatch::RUNNER,
    pyproject::TASKIPY,
    pyproject::RYE,
    pyproject::PIXI,
    pyproject::BRIEFCASE,
    pyproject::ENTRY_POINTS,
    python::nox::RUNNER,
    python::INVOKE,
    python::FABRIC,
    python::DOIT,
    python::DUTY,
    mise::RUNNER,
    cargo::MAKE,
    mage::RUNNER,
    jvm::ANT,
    jvm::SBT,
    jvm::MILL,
    elixir::RUNNER,
    clojure::LEIN,
    clojure::DEPS,
    clojure::BABASHKA,
    ruby::FASTLANE,
    ruby::THOR,
    rake::CAPISTRANO,
    dotnet::NUKE,
    dotnet::CAKE,
    dotnet::LAUNCH,
    dotnet::INVOKE_BUILD,
    dotnet::PSAKE,
    native::MESON_RUNNER,
    native::NINJA,
    native::SCONS,
    native::XMAKE,
    native::BAZEL,
    containers::BAKE,
    containers::EARTHLY,
    containers::DAGGER,
    containers::TILT,
    containers::SKAFFOLD,
    containers::GARDEN,
    containers::HELMFILE,
    containers::TERRAGRUNT,
    services::PROCESS_COMPOSE,
    services::MPROCS,
    hooks::PRE_COMMIT,
    hooks::LEFTHOOK,
    hooks::HUSKY,
    editors::VSCODE,
    editors::ZED,
    editors::FLEET,
    editors::JETBRAINS,
    github::RUNNER,
    ci::GITLAB,
    ci::CIRCLE,
    ci::TRAVIS,
    ci::AZURE,
    ci::BITBUCKET,
    markdown::MASK,
    markdown::XC,
    markdown::RUNME,
    scripts::ARGC,
    scripts::TASK_SH,
    rare::AHOY,
    rare::LANDO,
    rare::DDEV,
    rare::MELOS,
    rare::DEVBOX,
    rare::DEVCONTAINER,
    rare::TUSK,
    rare::DVC,
    rare::SNAKEMAKE,
    rare::DJANGO,
    rare::ZIG_BUILD,
    rare::NIMBLE,
    rare::ROBO,
    rare::CASTOR,
    rare::DEPLOYER,
];

/// The words of all runners, each once.
pub fn runner_ids() -> impl Iterator<Item = &'static str> {
    RUNNERS.iter().map(|runner| runner.id)
}

/// A runner's word where a task has it.
pub type Word = &'static str;

/// Reads a runner's word that was written down.
pub fn named<'de, D: Deserializer<'de>>(text: D) -> Result<Word, D::Error> {
    let text = <&'de str>::deserialize(text)?;
    runner_ids().find(|id| *id == text).ok_or_else(|| D::Error::custom(format!("there is no runner `{text}`")))
}

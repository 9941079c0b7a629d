//! Which package manager a folder is worked on with: what its files say, nearest first, and where they disagree.

use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::around::Around;
use super::formats::Node;
use super::formats::json::Dialect;

/// A package manager of the JavaScript world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Manager {
    Npm,
    Pnpm,
    Yarn,
    Bun,
    Deno,
}

/// What was chosen for a folder, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeChoice {
    pub manager: Manager,
    /// The file and what in it decided, as a phrase: "`packageManager` in package.json".
    pub because: String,
    /// What speaks for another one.
    pub conflicts: Vec<String>,
    /// There is a package.json here or above: programs of dependencies are looked for.
    pub has_package: bool,
}

/// Lock files, with whose they are.
const LOCKS: [(&str, Manager); 9] = [
    ("pnpm-lock.yaml", Manager::Pnpm),
    ("yarn.lock", Manager::Yarn),
    ("bun.lock", Manager::Bun),
    ("bun.lockb", Manager::Bun),
    ("package-lock.json", Manager::Npm),
    ("npm-shrinkwrap.json", Manager::Npm),
    ("deno.lock", Manager::Deno),
    // These say as much as a lock file where there is none.
    ("pnpm-workspace.yaml", Manager::Pnpm),
    (".yarnrc.yml", Manager::Yarn),
];

/// What an install leaves behind.
const MARKS: [(&str, Manager); 7] = [
    ("node_modules/.modules.yaml", Manager::Pnpm),
    ("node_modules/.pnpm/lock.yaml", Manager::Pnpm),
    ("node_modules/.package-lock.json", Manager::Npm),
    ("node_modules/.yarn-state.yml", Manager::Yarn),
    ("node_modules/.yarn-integrity", Manager::Yarn),
    (".pnp.cjs", Manager::Yarn),
    ("bunfig.toml", Manager::Bun),
];

impl Manager {
    const ALL: [Self; 5] = [Self::Npm, Self::Pnpm, Self::Yarn, Self::Bun, Self::Deno];

    /// Its program.
    pub fn word(self) -> &'static str {
        match self {
            Self::Npm => "npm",
            Self::Pnpm => "pnpm",
            Self::Yarn => "yarn",
            Self::Bun => "bun",
            Self::Deno => "deno",
        }
    }

    fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.word() == word)
    }

    /// The words before the name of a script of package.json.
    pub fn script(self) -> [&'static str; 2] {
        [self.word(), if self == Self::Deno { "task" } else { "run" }]
    }

    /// The words before a program of a dependency; none of them fetches it when it is missing.
    pub fn program(self) -> &'static [&'static str] {
        match self {
            Self::Npm => &["npx", "--no", "--"],
            Self::Pnpm => &["pnpm", "exec"],
            Self::Yarn => &["yarn", "run"],
            Self::Bun => &["bun", "run"],
            Self::Deno => &["deno", "task"],
        }
    }
}

/// Names by which managers are known, beside those of lock files and of what an install leaves.
const OTHERS: [&str; 13] = [
    ".git",
    ".venv",
    "Gemfile",
    "Gemfile.lock",
    "Pipfile.lock",
    "bin",
    "gems.rb",
    "package.json",
    "pdm.lock",
    "pixi.lock",
    "poetry.lock",
    "pyproject.toml",
    "uv.lock",
];

/// All names that have a say in which manager is meant: nothing else is asked for here.
pub fn marks() -> impl Iterator<Item = &'static str> {
    let first = |path: &'static str| path.split('/').next().unwrap_or(path);
    OTHERS.into_iter().chain(LOCKS.iter().chain(&MARKS).map(move |(path, _)| first(path)))
}

/// Whether a name is one of [`marks`].
pub fn is_mark(name: &str) -> bool {
    marks().any(|mark| mark == name)
}

/// A folder in which a manager may be said.
struct Level<'a> {
    folder: &'a Path,
    /// What of [`marks`] is in it, sorted.
    marks: Arc<Vec<String>>,
}

/// The folders in which a folder's manager may be said: up to the top of its repository.
fn upward<'a>(around: &Around<'_>, folder: &'a Path) -> Vec<Level<'a>> {
    let mut levels = Vec::new();
    for folder in folder.ancestors() {
        let level = Level { folder, marks: around.marks(folder) };
        let is_top = level.has(".git");
        levels.push(level);
        if is_top {
            break;
        }
    }
    levels
}

impl Level<'_> {
    fn has(&self, name: &str) -> bool {
        debug_assert!(is_mark(name), "{name} is not looked for");
        self.marks.binary_search_by(|it| it.as_str().cmp(name)).is_ok()
    }

    /// The same for a path that may have folders in it.
    fn has_path(&self, around: &Around<'_>, path: &str) -> bool {
        let first = path.split('/').next().unwrap_or(path);
        self.has(first) && (first == path || around.is_file(&self.folder.join(path)))
    }
}

/// Chooses for a folder: `packageManager`, `devEngines`, the nearest lock file, what an install left, `engines`, npm.
pub fn node(around: &Around<'_>, folder: &Path) -> NodeChoice {
    let folders = upward(around, folder);
    let packages: Vec<_> = folders
        .iter()
        .filter(|level| level.has("package.json"))
        .map(|level| level.folder.join("package.json"))
        .filter_map(|path| Some((around.json(&path, Dialect::Strict).ok()?, around.shown(&path))))
        .collect();
    let locks = nearest(around, &folders, &LOCKS);
    let said = |read: fn(&Node) -> Option<(Manager, &'static str)>| {
        packages.iter().find_map(|(package, path)| {
            let (manager, field) = read(package)?;
            Some((manager, format!("`{field}` in {path}")))
        })
    };
    let locked = || locks.first().map(|(manager, path)| (*manager, path.clone()));
    let left = || nearest(around, &folders, &MARKS).into_iter().next();
    let (manager, because) = said(pinned)
        .or_else(|| said(dev_engines))
        .or_else(locked)
        .or_else(left)
        .or_else(|| said(engines))
        .unwrap_or((Manager::Npm, "nothing says otherwise".to_owned()));
    let conflicts = locks
        .iter()
        .filter(|(it, _)| *it != manager)
        .map(|(it, path)| format!("{because} says {}, and {path} is {}'s", manager.word(), it.word()));
    NodeChoice { manager, conflicts: conflicts.collect(), because, has_package: !packages.is_empty() }
}

/// What the nearest folder that has any of these files has of them.
fn nearest(around: &Around<'_>, folders: &[Level<'_>], files: &[(&str, Manager)]) -> Vec<(Manager, String)> {
    let here = |level: &Level<'_>| -> Vec<(Manager, String)> {
        let found = files.iter().filter(|(name, _)| level.has_path(around, name));
        found.map(|(name, manager)| (*manager, around.shown(&level.folder.join(name)))).collect()
    };
    let mut found = folders.iter().map(here).find(|found| !found.is_empty()).unwrap_or_default();
    // Deno's beside another one's is the lock of its own scripts.
    if found.iter().any(|(manager, _)| *manager != Manager::Deno) {
        found.retain(|(manager, _)| *manager != Manager::Deno);
    }
    found.dedup_by_key(|(manager, _)| *manager);
    found
}

/// `"packageManager": "pnpm@9.1.0+sha…"`.
fn pinned(package: &Node) -> Option<(Manager, &'static str)> {
    let name = package.text_of("packageManager")?.split('@').next()?;
    Some((Manager::of(name)?, "packageManager"))
}

fn dev_engines(package: &Node) -> Option<(Manager, &'static str)> {
    let said = package.path(&["devEngines", "packageManager"])?;
    let first = said.items().first().unwrap_or(said);
    Some((Manager::of(first.text_of("name")?)?, "devEngines.packageManager"))
}

/// `engines` names node nearly always, and a manager where others are not wanted.
fn engines(package: &Node) -> Option<(Manager, &'static str)> {
    let engines = package.get("engines")?;
    let others = [Manager::Pnpm, Manager::Yarn, Manager::Bun, Manager::Npm];
    let wanted = |manager: &Manager| {
        engines.text_of(manager.word()).is_some_and(|range| range.contains(|c: char| c.is_ascii_digit()))
    };
    Some((others.into_iter().find(wanted)?, "engines"))
}

/// The words before a program of a Python project, and where several say different ones.
pub fn python(around: &Around<'_>, folder: &Path, program: &str) -> (Vec<String>, Option<String>) {
    const LOCKS: [(&str, &str); 5] = [
        ("uv.lock", "uv"),
        ("poetry.lock", "poetry"),
        ("pdm.lock", "pdm"),
        ("Pipfile.lock", "pipenv"),
        ("pixi.lock", "pixi"),
    ];
    let plain = || vec![program.to_owned()];
    let by = |manager: &str| vec![manager.to_owned(), "run".to_owned(), program.to_owned()];
    for level in upward(around, folder) {
        let has = |name: &str| level.has_path(around, name);
        let folder = level.folder;
        let locked: Vec<_> = LOCKS.into_iter().filter(|(lock, _)| has(lock)).collect();
        if let [(first, manager), rest @ ..] = &locked[..] {
            let path = around.shown(&folder.join(first));
            let conflict = rest.first().map(|(lock, _)| format!("{path} says {manager}, and {lock} is beside it"));
            return (by(manager), conflict);
        }
        if has(&format!(".venv/bin/{program}")) {
            return (vec![folder.join(".venv/bin").join(program).display().to_string()], None);
        }
        let project = folder.join("pyproject.toml");
        let tables = has("pyproject.toml").then(|| around.toml(&project).ok()).flatten();
        let tables = tables.as_ref().map_or(&[][..], |it| it.below(&["tool"]));
        let managers = ["uv", "poetry", "pdm", "pixi", "rye", "hatch"];
        let beside = || around.toml(&folder.join("hatch.toml")).is_ok_and(|it| it.get("envs").is_some());
        let keeps = |manager: &str, table: &Node| keeps(manager, table) || manager == "hatch" && beside();
        let manages =
            |manager: &&&str| tables.iter().any(|(key, table)| &*key.text == **manager && keeps(manager, table));
        if let Some(manager) = managers.iter().find(manages) {
            return (by(manager), None);
        }
    }
    (plain(), None)
}

/// Whether a manager's table says that it keeps the project's environment. Several have backends that only build the
/// package, and are told how in the same table.
fn keeps(manager: &str, table: &Node) -> bool {
    let only_builds: &[&str] = match manager {
        "hatch" => return table.get("envs").is_some(),
        "pdm" => &["build", "version"],
        "uv" => &["build-backend"],
        _ => return true,
    };
    let keys = table.below(&[]);
    keys.is_empty() || keys.iter().any(|(key, _)| !only_builds.contains(&&*key.text))
}

/// The words that begin a program of a Ruby project: its binstub, bundler, or its own name.
pub fn ruby(around: &Around<'_>, folder: &Path, program: &str) -> Vec<String> {
    for level in upward(around, folder) {
        if level.has_path(around, &format!("bin/{program}")) {
            return vec![level.folder.join("bin").join(program).display().to_string()];
        }
        if ["Gemfile", "Gemfile.lock", "gems.rb"].iter().any(|name| level.has(name)) {
            return vec!["bundle".to_owned(), "exec".to_owned(), program.to_owned()];
        }
    }
    vec![program.to_owned()]
}

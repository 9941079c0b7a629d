//! The runners themselves as an oracle: what they list of the same projects, less what only they can know.
//!
//! They execute the projects' code, which nagaya does not; these projects are ours.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nagaya::tasks::{Kind, Task};
use serde_json::Value;

use super::fixtures::list;

/// One runner's word against ours.
struct Oracle {
    /// The project among the fixtures, and the runner's name there.
    runner: &'static str,
    /// Lines with these texts are taken out: the traps that the runner itself refuses.
    without: &'static [(&'static str, &'static [&'static str])],
    command: &'static [&'static str],
    /// The names in what it prints.
    names: fn(&str) -> Vec<String>,
    /// Names that come out of code, as our gaps say.
    only_theirs: &'static [&'static str],
    /// Names that it does not list, though it runs them.
    only_ours: &'static [&'static str],
}

const ORACLES: &[Oracle] = &[
    Oracle {
        runner: "make",
        without: &[
            ("Makefile", &["include generated.mk", "release-$(VERSION)", "touch $@"]),
            ("mk/docs.mk", &["include"]),
        ],
        command: &["make", "-pRrq", ":"],
        names: make,
        only_theirs: &[],
        only_ours: &[],
    },
    Oracle {
        runner: "npm",
        without: &[],
        command: &["npm", "run", "--json"],
        names: |out| keys(&json(out)).into_iter().filter(|name| !name.starts_with("//")).collect(),
        only_theirs: &[],
        only_ours: &[],
    },
    Oracle {
        runner: "just",
        without: &[("justfile", &["what is this line"]), ("just/common.just", &["import"])],
        command: &["just", "--dump", "--dump-format", "json"],
        names: |out| just("", &json(out)),
        only_theirs: &[],
        only_ours: &[],
    },
    Oracle {
        runner: "task",
        without: &[("Taskfile.yml", &["lost.yml", "remote:"]), ("docs/Taskfile.yml", &["includes:", "root:"])],
        command: &["task", "--list-all", "--json", "--no-status"],
        names: |out| texts(&json(out)["tasks"], "name"),
        only_theirs: &[],
        // Internal ones, which only other tasks call.
        only_ours: &["hidden", "lib:check"],
    },
    Oracle {
        runner: "rake",
        without: &[("Rakefile", &["require_relative"])],
        command: &["rake", "-AT"],
        names: |out| {
            let first = |line: &str| Some(line.strip_prefix("rake ")?.split([' ', '[']).next()?.to_owned());
            out.lines().filter_map(first).collect()
        },
        // `task "load_#{name}"`
        only_theirs: &["db:seed:load_carts", "db:seed:load_users"],
        // Only Rails loads `lib/tasks`.
        only_ours: &["count"],
    },
    Oracle {
        runner: "tox",
        without: &[("tox.ini", &["requires", "[base]more"])],
        command: &["tox", "-a", "-q"],
        names: lines,
        only_theirs: &[],
        only_ours: &[],
    },
    Oracle {
        runner: "poe",
        without: &[("pyproject.toml", &["include ="])],
        command: &["poe", "_list_tasks"],
        names: words,
        only_theirs: &[],
        only_ours: &["_hidden"],
    },
    Oracle {
        runner: "pdm",
        without: &[],
        command: &["pdm", "run", "--json"],
        names: |out| keys(&json(out)).into_iter().filter(|name| name != "_").collect(),
        only_theirs: &[],
        only_ours: &[],
    },
    Oracle {
        runner: "hatch",
        without: &[],
        command: &["hatch", "env", "show", "--json"],
        names: |out| hatch(&json(out)),
        only_theirs: &[],
        only_ours: &[],
    },
    Oracle {
        runner: "taskipy",
        without: &[],
        command: &["taskipy", "-l"],
        names: |out| lines(out).iter().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect(),
        only_theirs: &[],
        only_ours: &[],
    },
    Oracle {
        runner: "nox",
        without: &[],
        command: &["nox", "--list-sessions", "--json"],
        // `tests-3.11(django='4')` is chosen by `tests-3.11` as well.
        names: |out| {
            texts(&json(out), "session").iter().filter_map(|it| it.split('(').next()).map(str::to_owned).collect()
        },
        // `nox.session(lambda …)`, and versions that are computed.
        only_theirs: &["either-3.9", "gen-a", "gen-b", "grown-3.8", "grown-3.9", "old-3.8", "old-3.9"],
        // `plain` has `default=False`.
        only_ours: &["either", "grown", "plain"],
    },
    Oracle {
        runner: "invoke",
        without: &[],
        // Its JSON has the names of functions where the collection gives others.
        command: &["invoke", "--list"],
        names: |out| {
            out.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next()).map(str::to_owned).collect()
        },
        only_theirs: &[],
        only_ours: &[],
    },
    Oracle {
        runner: "doit",
        without: &[],
        command: &["doit", "list", "--all"],
        names: |out| lines(out).iter().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect(),
        only_theirs: &["test:part-a", "test:part-b"],
        only_ours: &[],
    },
    Oracle {
        runner: "duty",
        without: &[("duties.py", &["@duty(pre="])],
        command: &["duty", "--list"],
        names: |out| lines(out).iter().filter_map(|line| line.trim().split(' ').next()).map(str::to_owned).collect(),
        only_theirs: &[],
        only_ours: &[],
    },
    Oracle {
        runner: "cmake",
        without: &[],
        command: &["cmake", "--list-presets=all"],
        names: cmake,
        only_theirs: &[],
        only_ours: &["configure:base", "format", "tidy"],
    },
    Oracle {
        runner: "ninja",
        without: &[("build.ninja", &["$dir/x"])],
        command: &["ninja", "-t", "targets", "all"],
        names: |out| lines(out).iter().filter_map(|line| line.split(':').next()).map(str::to_owned).collect(),
        only_theirs: &[],
        only_ours: &[],
    },
];

fn json(out: &str) -> Value {
    serde_json::from_str(out).unwrap_or_else(|error| panic!("{error}: {out}"))
}

fn keys(value: &Value) -> Vec<String> {
    value.as_object().into_iter().flatten().map(|(key, _)| key.clone()).collect()
}

fn texts(list: &Value, key: &str) -> Vec<String> {
    list.as_array().unwrap().iter().map(|it| it[key].as_str().unwrap().to_owned()).collect()
}

fn lines(out: &str) -> Vec<String> {
    out.lines().map(str::trim_end).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

fn words(out: &str) -> Vec<String> {
    out.split_whitespace().map(str::to_owned).collect()
}

/// Targets are below "# Files"; what was only needed, and never a target, says so.
fn make(out: &str) -> Vec<String> {
    let (_, files) = out.split_once("\n# Files\n").expect("make printed its files");
    let files = files.split("\n# files hash-table stats").next().unwrap();
    let mut names = Vec::new();
    for block in files.split("\n\n").filter(|block| !block.contains("# Not a target:")) {
        let head = block.lines().filter(|line| !line.starts_with(['#', '\t', '.']) && !line.is_empty());
        // `push: REGISTRY = x` comes before the rule.
        let rule =
            head.filter(|line| !line.contains(" = ")).find_map(|line| line.rsplit_once(':').map(|it| (it, line)));
        let Some(((name, _), line)) = rule else { continue };
        let name = if line.contains(": ") { line.split(": ").next().unwrap() } else { name };
        names.push(name.trim_end_matches(':').to_owned());
    }
    names
}

fn just(space: &str, module: &Value) -> Vec<String> {
    let own = keys(&module["recipes"]).into_iter().map(|name| format!("{space}{name}"));
    let inner = module["modules"].as_object().into_iter().flatten();
    own.chain(inner.flat_map(|(name, module)| just(&format!("{space}{name}::"), module))).collect()
}

/// Environments that hatch always has begin with its name.
fn hatch(environments: &Value) -> Vec<String> {
    let all = environments.as_object().unwrap().iter().filter(|(name, _)| !name.starts_with("hatch-"));
    let scripts = all.flat_map(|(name, it)| keys(&it["scripts"]).into_iter().map(move |script| (name.clone(), script)));
    scripts.map(|(name, script)| if name == "default" { script } else { format!("{name}:{script}") }).collect()
}

/// `Available configure presets:`, then `  "name" - text`.
fn cmake(out: &str) -> Vec<String> {
    let mut kind = String::new();
    let mut names = Vec::new();
    for line in out.lines() {
        match line.trim().strip_prefix("Available ") {
            Some(rest) => kind = rest.split(' ').next().unwrap().to_owned(),
            None => names.extend(line.split('"').nth(1).map(|name| format!("{kind}:{name}"))),
        }
    }
    names
}

/// The runners that `tests/peers/build` installs come before those of the machine.
fn path() -> std::ffi::OsString {
    let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers");
    let own = ["go-task/bin", "tasks/bin"].map(|folder| peers.join(folder));
    let rest = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths(own.into_iter().chain(std::env::split_paths(&rest))).unwrap()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

/// The project of a runner, without what the runner refuses.
fn project(oracle: &Oracle, root: &Path) {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tasks/fixtures").join(oracle.runner);
    copy(&fixture, root);
    for (file, texts) in oracle.without {
        let text = fs::read_to_string(root.join(file)).unwrap();
        let kept: Vec<&str> = text.lines().filter(|line| !texts.iter().any(|it| line.contains(it))).collect();
        assert!(kept.len() < text.lines().count(), "{file} of {} has none of {texts:?}", oracle.runner);
        fs::write(root.join(file), kept.join("\n") + "\n").unwrap();
    }
    if oracle.runner == "rake" {
        // Bundler's tasks are those of a gem.
        let gem =
            "Gem::Specification.new { |it| it.name, it.version, it.summary, it.authors = 'shop', '1', 'x', ['x'] }\n";
        fs::write(root.join("shop.gemspec"), gem).unwrap();
        fs::remove_file(root.join("Gemfile.lock")).unwrap();
    }
}

fn ask(oracle: &Oracle, root: &Path) -> BTreeSet<String> {
    let path = path();
    // Two programs are called `task`: taskipy's is in the Python environment, behind the other.
    let (program, arguments) = match oracle.command {
        ["taskipy", rest @ ..] => {
            (Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers/tasks/bin/task"), rest.to_vec())
        }
        [program, rest @ ..] => {
            (which::which_in(program, Some(&path), root).unwrap_or_else(|_| PathBuf::from(program)), rest.to_vec())
        }
        [] => unreachable!("every oracle has a command"),
    };
    let mut command = Command::new(&program);
    command
        .args(arguments)
        .current_dir(root)
        .env("PATH", &path)
        .env("NO_COLOR", "1")
        .env("HOME", root.parent().unwrap());
    let output = command
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}; `tests/peers/build` installs the runners", program.display()));
    // Some say on standard error what others say on standard output; cmake refuses by its exit code.
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!out.is_empty(), "{} said nothing: {}", oracle.runner, String::from_utf8_lossy(&output.stderr));
    (oracle.names)(&out).into_iter().collect()
}

#[test]
fn what_runners_list_is_what_is_found() {
    for oracle in ORACLES {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("project");
        project(oracle, &root);
        let theirs = ask(oracle, &root);
        let listing = list(&root);
        // Projects further down are listed by themselves.
        let is_own = |task: &&Task| task.runner == oracle.runner && task.project.as_os_str().is_empty();
        let is_listed =
            |task: &&Task| task.draft.kind != Kind::File || ["make", "ninja", "rake"].contains(&oracle.runner);
        let ours: BTreeSet<String> =
            listing.tasks.iter().filter(is_own).filter(is_listed).map(|task| task.draft.name.clone()).collect();
        let only = |a: &BTreeSet<String>, b: &BTreeSet<String>| a.difference(b).cloned().collect::<Vec<_>>();
        assert_eq!(only(&theirs, &ours), oracle.only_theirs, "{} lists what was not found", oracle.runner);
        assert_eq!(only(&ours, &theirs), oracle.only_ours, "{} does not list what was found", oracle.runner);
        let source = listing.sources.iter().find(|it| it.runner == oracle.runner).unwrap();
        let is_complete = source.completeness == nagaya::tasks::Completeness::Complete;
        assert!(!is_complete || oracle.only_theirs.is_empty(), "{} is complete, and is not", oracle.runner);
    }
}

#[test]
fn lines_and_descriptions_are_those_of_task() {
    let oracle = ORACLES.iter().find(|it| it.runner == "task").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("project");
    project(oracle, &root);
    let output = Command::new(which::which_in("task", Some(path()), &root).unwrap())
        .args(["--list-all", "--json", "--no-status"])
        .current_dir(&root)
        .output()
        .unwrap();
    let listing = list(&root);
    let theirs = json(std::str::from_utf8(&output.stdout).unwrap());
    for task in theirs["tasks"].as_array().unwrap() {
        let name = task["name"].as_str().unwrap();
        let ours = listing.tasks.iter().find(|it| it.project.as_os_str().is_empty() && it.draft.name == name).unwrap();
        assert_eq!(ours.draft.line as u64, task["location"]["line"].as_u64().unwrap(), "{name}");
        assert_eq!(ours.file, Path::new(task["location"]["taskfile"].as_str().unwrap()), "{name}");
        let own = ours.draft.description.as_ref().map_or("", |it| &it.text);
        let said = task["desc"].as_str().unwrap();
        assert!(said.is_empty() || own == said, "{name}: {own} and {said}");
        let aliases: Vec<&str> = task["aliases"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        assert_eq!(ours.draft.aliases, aliases, "{name}");
    }
}

#[test]
fn parameters_and_documentation_are_those_of_just() {
    let oracle = ORACLES.iter().find(|it| it.runner == "just").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("project");
    project(oracle, &root);
    let output = Command::new(which::which_in("just", Some(path()), &root).unwrap())
        .args(["--dump", "--dump-format", "json"])
        .current_dir(&root)
        .output()
        .unwrap();
    let theirs = json(std::str::from_utf8(&output.stdout).unwrap());
    let listing = list(&root);
    for (name, recipe) in theirs["recipes"].as_object().unwrap() {
        let ours = listing.tasks.iter().find(|it| it.project.as_os_str().is_empty() && it.draft.name == *name).unwrap();
        let names = |list: &Value, key: &str| texts(list, key);
        assert_eq!(
            ours.draft.arguments.iter().map(|it| it.name.clone()).collect::<Vec<_>>(),
            names(&recipe["parameters"], "name"),
            "{name}"
        );
        assert_eq!(ours.draft.depends_on, names(&recipe["dependencies"], "recipe"), "{name}");
        assert_eq!(ours.draft.private, recipe["private"].as_bool().unwrap(), "{name}");
        let own = ours.draft.description.as_ref().map(|it| it.text.as_str());
        assert_eq!(own, recipe["doc"].as_str(), "{name}");
        for (argument, parameter) in ours.draft.arguments.iter().zip(recipe["parameters"].as_array().unwrap()) {
            assert_eq!(argument.variadic, parameter["kind"] != "singular", "{name} {}", argument.name);
            let may_be_left = !parameter["default"].is_null() || parameter["kind"] == "star";
            assert_eq!(argument.required, !may_be_left, "{name} {}", argument.name);
        }
    }
}

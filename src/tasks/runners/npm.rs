//! Scripts of package.json, whichever package manager runs them; also those that wireit runs.
//!
//! npm, <https://docs.npmjs.com/cli/using-npm/scripts>; wireit, <https://github.com/google/wireit>.

use crate::tasks::formats::{Node, shell};
use crate::tasks::look::Look;
use crate::tasks::runner::{Read, Reading, Runner, Via};
use crate::tasks::{Draft, Kind, Origin};

pub const RUNNER: Runner = Runner::new("npm", read).first(&["package.json"]).runs(Via::Script, &["{}"]);

/// What package managers run by themselves.
const LIFECYCLE: [&str; 16] = [
    "dependencies",
    "install",
    "postinstall",
    "postpack",
    "postprepare",
    "postpublish",
    "postversion",
    "preinstall",
    "prepack",
    "prepare",
    "preprepare",
    "prepublish",
    "prepublishOnly",
    "preversion",
    "publish",
    "version",
];

fn read(look: &Look<'_>) -> Read {
    let package = look.json()?;
    let Some(scripts) = package.get("scripts") else { return Ok(None) };
    let names: Vec<&str> = scripts.entries().iter().map(|(key, _)| &*key.text).collect();
    let tasks = scripts.entries().iter().filter(|(key, _)| !is_comment(&key.text));
    let tasks = tasks.filter_map(|(key, command)| {
        let command = command.text()?;
        let name = &*key.text;
        let kind = if is_hook(name, &names) { Kind::Hook } else { Kind::Task };
        let draft = Draft::new(name, key.at.line)
            .describe(description(&package, scripts, name), Origin::Field)
            .kind(kind)
            .runs(command)
            .after(called(command, &names));
        Some(wireit(&package, draft))
    });
    Ok(Reading::of(tasks.collect()).unless_empty())
}

/// JSON has no comments, so people write `"//": "…"`.
fn is_comment(name: &str) -> bool {
    name.starts_with("//") || name.starts_with('#')
}

/// `prebuild` and `postbuild` run with `build`, others at events of the package manager.
fn is_hook(name: &str, names: &[&str]) -> bool {
    let of = |prefix: &str| name.strip_prefix(prefix).is_some_and(|rest| names.contains(&rest));
    LIFECYCLE.contains(&name) || of("pre") || of("post")
}

/// From `scripts-info` (ni), `ntl`, or a comment key above the script.
fn description<'a>(package: &'a Node, scripts: &'a Node, name: &str) -> Option<&'a str> {
    let field = package.path(&["scripts-info", name]).or_else(|| package.path(&["ntl", "descriptions", name]));
    let comment = || scripts.get(&format!("//{name}")).or_else(|| scripts.get(&format!("#{name}")));
    field.or_else(comment)?.text()
}

/// The scripts that a script runs.
pub fn called(command: &str, names: &[&str]) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for words in shell::commands(command) {
        for name in called_by(&words, names) {
            if !out.contains(&name) {
                out.push(name);
            }
        }
    }
    out
}

fn called_by(words: &[String], names: &[&str]) -> Vec<String> {
    let mut plain = words.iter().map(String::as_str).filter(|word| !word.starts_with('-'));
    let known = |name: &str| names.iter().filter(|it| fits(name, it)).map(|it| (*it).to_owned()).collect::<Vec<_>>();
    match plain.next() {
        Some("npm" | "pnpm" | "yarn" | "bun") => match plain.next() {
            Some("run" | "run-script" | "rum") => plain.next().map(known).unwrap_or_default(),
            Some(name) => known(name),
            None => Vec::new(),
        },
        Some("node") if plain.next() == Some("run") => plain.next().map(known).unwrap_or_default(),
        Some("npm-run-all" | "npm-run-all2" | "run-s" | "run-p") => plain.flat_map(known).collect(),
        Some("concurrently") => {
            let inner = plain.flat_map(|word| match word.split_once(':') {
                Some(("npm" | "pnpm" | "yarn" | "bun", name)) => known(name),
                _ => called(word, names),
            });
            inner.collect()
        }
        _ => Vec::new(),
    }
}

/// `build:*` stands for one more part, `build:**` for any.
fn fits(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((before, after)) => {
            let rest = name.strip_prefix(before);
            rest.is_some_and(|rest| after.starts_with('*') || !rest.is_empty() && !rest.contains(':'))
        }
    }
}

/// A script that is only `wireit` has its command and its dependencies elsewhere.
fn wireit(package: &Node, mut draft: Draft) -> Draft {
    let Some(config) = package.path(&["wireit", &draft.name]) else { return draft };
    if let Some(command) = config.text_of("command") {
        command.clone_into(&mut draft.command);
    }
    let dependencies = config.get("dependencies").map_or(&[][..], Node::items);
    let names = dependencies.iter().filter_map(|it| it.text().or_else(|| it.text_of("script")));
    draft.depends_on.extend(names.map(str::to_owned));
    if config.get("service").is_some() {
        draft.kind = Kind::Service;
    }
    draft
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_that_scripts_run() {
        let names = ["a", "b:x", "b:y", "b:y:z", "start"];
        let cases: [(&str, &[&str]); 8] = [
            ("npm run a && npm start", &["a", "start"]),
            ("yarn a", &["a"]),
            ("yarn install", &[]),
            ("run-p -l b:*", &["b:x", "b:y"]),
            ("npm-run-all --parallel b:** a", &["b:x", "b:y", "b:y:z", "a"]),
            ("concurrently \"npm:b:*\" 'pnpm run a'", &["b:x", "b:y", "a"]),
            ("CI=1 pnpm --silent run a -- --x", &["a"]),
            ("echo npm run a", &[]),
        ];
        for (command, wanted) in cases {
            assert_eq!(called(command, &names), wanted, "{command}");
        }
    }
}

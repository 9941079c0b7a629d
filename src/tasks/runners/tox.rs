//! tox, <https://tox.wiki/en/latest/config.html>: environments of its list, with braces and ranges expanded.

use std::collections::HashSet;

use crate::tasks::formats::{Node, ini};
use crate::tasks::look::Look;
use crate::tasks::runner::{Read, Reading, Runner, Via};
use crate::tasks::{Draft, Origin};

pub const RUNNER: Runner = Runner::new("tox", read)
    .every(&["tox.ini", "setup.cfg", "pyproject.toml", "tox.toml"])
    .runs(Via::Python, &["tox", "run", "-e", "{}"]);

/// An environment as its table says.
struct Environment {
    line: usize,
    description: Option<String>,
    commands: String,
    depends: Vec<String>,
    labels: Vec<String>,
}

fn read(look: &Look<'_>) -> Read {
    if look.has("tox.ini") && look.name() != "tox.ini" {
        return Ok(None);
    }
    match look.name() {
        "tox.ini" => of_ini(&ini::parse(look.text)?, "tox", look),
        "setup.cfg" => of_ini(&ini::parse(look.text)?, "tox:tox", look),
        "tox.toml" => Ok(of_toml(&*look.toml()?, look)),
        _ => {
            let root = look.toml()?;
            let Some(tox) = root.path(&["tool", "tox"]) else { return Ok(None) };
            match tox.text_of("legacy_tox_ini") {
                Some(text) => of_ini(&ini::parse(text)?, "tox", look),
                None => Ok(of_toml(tox, look)),
            }
        }
    }
}

fn of_ini(sections: &[ini::Section], main: &str, look: &Look<'_>) -> Read {
    let Some(tox) = sections.iter().find(|section| section.name == main) else { return Ok(None) };
    let list = tox.get("env_list").or_else(|| tox.get("envlist")).unwrap_or("");
    let base = sections.iter().find(|section| section.name == "testenv");
    let mut reading = Reading::default();
    let own: Vec<(String, &ini::Section)> = sections
        .iter()
        .filter_map(|section| Some((section.name.strip_prefix("testenv:")?, section)))
        .flat_map(|(names, section)| expand(names).into_iter().map(move |name| (name, section)))
        .collect();
    let listed = expand(list);
    // A list with references is filled in by tox.
    if list.contains("{[") || list.contains("{env:") {
        reading.uncounted("environments named by references");
    }
    let line = tox.values.iter().find(|it| it.key.replace('_', "") == "envlist").map_or(tox.line, |it| it.line);
    let extra = own.iter().map(|(name, _)| name).filter(|name| !listed.contains(name));
    for name in listed.iter().chain(extra) {
        let found = own.iter().find(|(it, _)| it == name).map(|(_, section)| *section);
        push(&mut reading, name, environment(name, found, base, line), listed.contains(name));
    }
    let known: Vec<String> = reading.tasks.iter().map(|it| it.name.clone()).collect();
    for (name, line) in conditional(sections, main, &known) {
        let environment = environment(&name, None, base, line);
        push(&mut reading, &name, environment, false);
        if let Some(draft) = reading.tasks.last_mut() {
            draft.private = true;
        }
    }
    plugins(look, tox.get("requires").is_some(), &mut reading);
    Ok(Some(reading))
}

/// Environments that only conditions name, `postgres: psycopg`: tox takes them for such where any of their factors is in no
/// other name.
fn conditional(sections: &[ini::Section], main: &str, known: &[String]) -> Vec<(String, usize)> {
    let factors: HashSet<&str> = known.iter().flat_map(|name| name.split('-')).collect();
    let is_own = |it: &&ini::Section| it.name == main || it.name == "testenv" || it.name.starts_with("testenv:");
    let mut out: Vec<(String, usize)> = Vec::new();
    for entry in sections.iter().filter(is_own).flat_map(|section| &section.values) {
        for condition in entry.value.lines().filter_map(condition) {
            for name in expand(condition) {
                let name = name.split('-').map(|it| it.trim_start_matches('!')).collect::<Vec<_>>().join("-");
                let is_new = !out.iter().any(|(it, _)| *it == name) && !known.contains(&name);
                if is_new && name.split('-').any(|factor| !factors.contains(factor)) {
                    out.push((name, entry.line));
                }
            }
        }
    }
    out
}

/// What stands before the colon of a line that holds for some environments only: `py{39,310}, !docs: text`.
fn condition(line: &str) -> Option<&str> {
    let (before, rest) = line.split_once(':')?;
    let is_factor = |c: char| c.is_ascii_alphanumeric() || "_.!{},- ".contains(c);
    let is_whole = before.matches('{').count() == before.matches('}').count();
    let is_single = |part: &str| !part.trim().is_empty() && !part.trim().contains(' ');
    let fits = is_whole && before.chars().all(is_factor) && before.split(',').all(is_single);
    (fits && (rest.is_empty() || rest.starts_with([' ', '\t']))).then_some(before)
}

/// What an environment's own section says, and else that of all of them.
fn environment(name: &str, own: Option<&ini::Section>, base: Option<&ini::Section>, line: usize) -> Environment {
    let text = |key: &str| own.and_then(|it| it.get(key)).or_else(|| base?.get(key)).map(|text| fitting(text, name));
    let labels = text("labels").unwrap_or_default();
    let labels = labels.split([',', '\n']).map(|it| it.trim().to_owned());
    Environment {
        line: own.map_or(line, |it| it.line),
        description: text("description").map(|text| filled(&text, name)),
        commands: text("commands").unwrap_or_default().trim().to_owned(),
        depends: text("depends").map(|text| expand(&text)).unwrap_or_default(),
        labels: labels.filter(|it| !it.is_empty()).collect(),
    }
}

/// The lines of a value that hold for an environment, without their conditions. Those that go on are joined before, as tox
/// does it: the next one stands in the backslash's place.
fn fitting(text: &str, name: &str) -> String {
    let text = text.replace("\\\n", "");
    let factors: HashSet<&str> = name.split('-').collect();
    let holds = |factor: &str| match factor.strip_prefix('!') {
        Some(other) => !factors.contains(other),
        None => factors.contains(factor),
    };
    let lines = text.lines().filter_map(|line| match condition(line) {
        Some(before) => {
            let holds = expand(before).iter().any(|all| all.split('-').all(holds));
            holds.then(|| line[before.len() + 1..].trim())
        }
        None => Some(line),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// A text with what it says of the environment's own name.
fn filled(text: &str, name: &str) -> String {
    text.replace("{envname}", name).replace("{env_name}", name)
}

fn of_toml(root: &Node, look: &Look<'_>) -> Option<Reading> {
    let mut reading = Reading::default();
    let list = root.get("env_list").or_else(|| root.get("env")).or_else(|| root.get("env_run_base"))?;
    let mut listed: Vec<String> = Vec::new();
    for item in root.get("env_list").map_or(&[][..], Node::items) {
        match item.text() {
            Some(text) => listed.extend(expand(text)),
            None => reading.gap("products in `env_list`"),
        }
    }
    let base = root.get("env_run_base");
    let own = root.below(&["env"]);
    let extra = own.iter().map(|(key, _)| key.text.to_string()).filter(|name| !listed.contains(name));
    for name in listed.clone().into_iter().chain(extra) {
        let found = own.iter().find(|(key, _)| *key.text == *name);
        let table = found.map(|(_, it)| it).or(base);
        let text = |key: &str| table.and_then(|it| it.get(key)).or_else(|| base?.get(key));
        let commands = text("commands").map_or(&[][..], Node::items);
        let environment = Environment {
            line: found.map_or(list.at.line, |(key, _)| key.at.line),
            description: text("description").and_then(Node::text).map(|text| filled(text, &name)),
            commands: commands.iter().map(|it| it.texts().join(" ")).collect::<Vec<_>>().join("\n"),
            depends: found.map(|(_, it)| it.texts_of("depends")).unwrap_or_default(),
            labels: found.map(|(_, it)| it.texts_of("labels")).unwrap_or_default(),
        };
        push(&mut reading, &name, environment, listed.contains(&name));
    }
    plugins(look, root.get("requires").is_some(), &mut reading);
    Some(reading)
}

fn push(reading: &mut Reading, name: &str, environment: Environment, listed: bool) {
    // What tox calls "additional": it is only run when it is named.
    let group = if listed { environment.labels.join(", ") } else { "additional".to_owned() };
    reading.tasks.push(
        Draft::new(name, environment.line)
            .describe(environment.description, Origin::Field)
            .group(Some(group).filter(|it| !it.is_empty()))
            .after(environment.depends)
            .runs(environment.commands),
    );
}

fn plugins(look: &Look<'_>, requires: bool, reading: &mut Reading) {
    if look.has("toxfile.py") {
        reading.uncounted("what toxfile.py adds");
    }
    if requires {
        reading.uncounted("what plugins add (`requires`)");
    }
}

/// `py{39,310}-{a,b}, lint` and a list over lines; `{310-312}` is a range.
fn expand(text: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for item in split(text) {
        for name in alternatives(&item) {
            let name = name.trim().to_owned();
            if !name.is_empty() && !name.contains(['{', '}', '[']) && !out.contains(&name) {
                out.push(name);
            }
        }
    }
    out
}

/// Parts between commas and line ends that are not within braces.
fn split(text: &str) -> Vec<String> {
    let mut out = vec![String::new()];
    let mut depth = 0;
    for c in text.chars() {
        depth += i32::from(c == '{') - i32::from(c == '}');
        match c {
            ',' | '\n' if depth == 0 => out.push(String::new()),
            c if c.is_whitespace() => {}
            c => {
                if let Some(last) = out.last_mut() {
                    last.push(c);
                }
            }
        }
    }
    out
}

fn alternatives(text: &str) -> Vec<String> {
    let Some((before, rest)) = text.split_once('{') else { return vec![text.to_owned()] };
    let Some((inner, after)) = rest.split_once('}') else { return vec![text.to_owned()] };
    let values = inner.split(',').flat_map(range);
    let tails = alternatives(after);
    values
        .flat_map(|value| tails.iter().map(move |tail| format!("{before}{value}{tail}")).collect::<Vec<_>>())
        .collect()
}

/// `310-312`; at most a hundred, as no list that is meant has more.
fn range(text: &str) -> Vec<String> {
    let ends = text.split_once('-').and_then(|(from, to)| Some((from.parse::<u32>().ok()?, to.parse::<u32>().ok()?)));
    match ends {
        Some((from, to)) if from <= to && to - from < 100 => (from..=to).map(|it| it.to_string()).collect(),
        _ => vec![text.to_owned()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_told_from_commands() {
        let cases = [
            ("postgres: psycopg", Some("postgres")),
            ("py{39,310}, !docs: x", Some("py{39,310}, !docs")),
            ("pytest {posargs: tests}", None),
            ("{posargs:tests}", None),
            ("https://example.com", None),
            ("echo a: b", None),
        ];
        for (line, wanted) in cases {
            assert_eq!(condition(line), wanted, "{line}");
        }
    }

    #[test]
    fn lines_are_for_the_environments_of_their_factors() {
        let text = "\ntests: pytest\ndocs-{build,linkcheck}, !py-pages: sphinx -b html \\\n-W\npy{39,310}: old\nend";
        for (name, wanted) in [
            ("py310-tests", "\npytest\nold\nend"),
            ("docs-linkcheck", "\nsphinx -b html -W\nend"),
            ("docs-doctest", "\nend"),
            ("pages", "\nsphinx -b html -W\nend"),
        ] {
            assert_eq!(fitting(text, name), wanted, "{name}");
        }
        assert_eq!(filled("{envname} on {base_python}", "py39"), "py39 on {base_python}");
    }

    #[test]
    fn braces_and_ranges() {
        assert_eq!(expand("py{39,310}-{a,b},lint\n docs"), ["py39-a", "py39-b", "py310-a", "py310-b", "lint", "docs"]);
        assert_eq!(expand("py3{10-12}{,-x}"), ["py310", "py310-x", "py311", "py311-x", "py312", "py312-x"]);
        assert_eq!(expand("{[base]envs}, a"), ["a"]);
    }
}

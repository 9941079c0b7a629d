//! Versions of a service: each is laid over what the versions have in common, and is a service of its own.
//!
//! The first is what the service's name means where no routing rule says otherwise, and keeps that name; each of the
//! others is called `NAME-VERSION`.

use super::merge::merge_service;
use super::node::{Key, Node, Value};
use super::problem::{Problem, Problems};

/// What a service is a version of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned {
    /// The name under which the manifest has it.
    pub service: String,
    /// `v2`.
    pub version: String,
}

/// What only one of several versions can have: others are reached by the name of the service.
const ONLY_THE_FIRST: [&str; 4] = ["aliases", "container_name", "hostnames", "publish"];

/// Makes services of all versions in a document. What is returned are the names of those services and what they are.
pub fn expand(document: &mut Node, problems: &mut Problems) -> Vec<(String, Versioned)> {
    let Value::Map(entries) = &mut document.value else { return Vec::new() };
    let Some((_, services)) = entries.iter_mut().find(|(key, _)| key.text == "services") else { return Vec::new() };
    let Value::Map(services) = &mut services.value else { return Vec::new() };
    let mut known = Vec::new();
    let mut all = Vec::with_capacity(services.len());
    for (key, mut service) in services.drain(..) {
        match take_versions(&mut service, problems) {
            Some(versions) => all.extend(apart(&key, &service, versions, &mut known, problems)),
            None => all.push((key, service)),
        }
    }
    *services = all;
    clashes(services, &known, problems);
    known
}

/// A version may have the name of another service.
fn clashes(services: &[(Key, Node)], known: &[(String, Versioned)], problems: &mut Problems) {
    for (text, Versioned { service, version }) in known.iter().filter(|(name, it)| *name != it.service) {
        let mut same = services.iter().filter(|(key, _)| key.text == *text).map(|(key, _)| key.span);
        if let (Some(first), Some(second)) = (same.next(), same.next()) {
            let message = format!("`{text}` is the name of `{service}` in version `{version}`, and of another service");
            let problem = Problem::error("duplicate_service", message).at(second);
            problems.push(problem.related(first, "first here").hint("rename one of them"));
        }
    }
}

/// Takes `versions` out of a service, where it has usable ones.
fn take_versions(service: &mut Node, problems: &mut Problems) -> Option<Vec<(Key, Node)>> {
    let Value::Map(fields) = &mut service.value else { return None };
    let place = fields.iter().position(|(key, _)| key.text == "versions")?;
    let (key, versions) = fields.remove(place);
    match versions.value {
        Value::Map(versions) if !versions.is_empty() => Some(versions),
        _ => {
            let problem =
                Problem::error("no_versions", "`versions` names at least one version, with what it differs in");
            problems.push(problem.at(key.span).hint("`versions: { v1: {}, v2: { working_dir: ../v2 } }`"));
            None
        }
    }
}

fn apart(
    name: &Key,
    common: &Node,
    versions: Vec<(Key, Node)>,
    known: &mut Vec<(String, Versioned)>,
    problems: &mut Problems,
) -> Vec<(Key, Node)> {
    let mut services = Vec::with_capacity(versions.len());
    for (place, (version, own)) in versions.into_iter().enumerate() {
        if let Some(nested) = field(&own, "versions") {
            let problem = Problem::error("nested_versions", "a version cannot have versions").at(nested.span);
            problems.push(problem.hint("name them all under the service"));
            continue;
        }
        let is_first = place == 0;
        let text = if is_first { name.text.clone() } else { format!("{}-{}", name.text, version.text) };
        known.push((text.clone(), Versioned { service: name.text.clone(), version: version.text.clone() }));
        let mut node = common.clone();
        if !is_first {
            without(&mut node, &ONLY_THE_FIRST);
        }
        merge_service(&mut node, own, &name.text);
        // Its problems are shown where the version stands, but for the first, which is the service too.
        let span = if is_first { name.span } else { version.span };
        services.push((Key { text, span }, node));
    }
    services
}

fn field<'a>(node: &'a Node, name: &str) -> Option<&'a Key> {
    let Value::Map(fields) = &node.value else { return None };
    fields.iter().map(|(key, _)| key).find(|key| key.text == name)
}

fn without(node: &mut Node, names: &[&str]) {
    if let Value::Map(fields) = &mut node.value {
        fields.retain(|(key, _)| !names.contains(&key.text.as_str()));
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::manifest::yaml;

    fn expanded(text: &str) -> (Vec<(String, Versioned)>, Vec<String>, Problems) {
        let mut problems = Problems::default();
        let source = problems.sources.add(Path::new("nagaya.yaml"), text);
        let mut document = yaml::parse(source, &mut problems).unwrap();
        let known = expand(&mut document, &mut problems);
        let Value::Map(entries) = document.value else { unreachable!() };
        let Value::Map(services) = entries.into_iter().next().unwrap().1.value else { unreachable!() };
        let keys = |node: &Node| match &node.value {
            Value::Map(fields) => fields.iter().map(|(key, _)| key.text.clone()).collect::<Vec<_>>().join(" "),
            _ => String::new(),
        };
        (known, services.iter().map(|(key, node)| format!("{}: {}", key.text, keys(node))).collect(), problems)
    }

    #[test]
    fn each_version_is_a_service_and_the_first_keeps_the_name() {
        let (known, services, problems) = expanded(
            "services:\n  users:\n    command: ./run\n    publish: 1\n    versions:\n      v1:\n      v2: { user: me }\n",
        );
        assert_eq!(problems.list, []);
        assert_eq!(services, ["users: command publish", "users-v2: command user"]);
        let version = |name: &str, version: &str| {
            (name.to_owned(), Versioned { service: "users".to_owned(), version: version.to_owned() })
        };
        assert_eq!(known, [version("users", "v1"), version("users-v2", "v2")]);
    }

    #[test]
    fn what_names_no_version_is_told() {
        for text in ["versions: []", "versions: {}", "versions: v1", "versions:"] {
            let (_, services, problems) = expanded(&format!("services:\n  users:\n    command: ./run\n    {text}\n"));
            assert_eq!(problems.list.iter().map(|it| it.code).collect::<Vec<_>>(), ["no_versions"], "{text}");
            assert_eq!(services, ["users: command"]);
        }
        let (_, _, problems) = expanded("services:\n  a: { versions: { v1: { versions: { x: {} } } } }\n");
        assert_eq!(problems.list.iter().map(|it| it.code).collect::<Vec<_>>(), ["nested_versions"]);
    }
}

//! Additions to a manifest's text that leave all else as it is written, comments too.

use std::path::Path;

use super::node::{Node, Value};
use super::problem::Problems;
use super::yaml;

/// One entry that is added below a key: its lines, of which the first is the key, indented from 0 by two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addition {
    pub name: String,
    pub lines: Vec<String>,
}

/// Why a text cannot be added to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CannotAdd {
    #[error("it is not valid YAML")]
    Broken,
    #[error("`{0}` is there already")]
    Known(String),
    #[error("its `{0}` cannot be added to by line: they are written in braces, or by way of an anchor")]
    Form(&'static str),
}

/// The text with entries added at the end of a top-level mapping, `services` or `tasks`. Everything that was there is still
/// there, byte for byte, and means the same.
pub fn add(text: &str, section: &'static str, additions: &[Addition]) -> Result<String, CannotAdd> {
    let before = parse(text).ok_or(CannotAdd::Broken)?;
    let known = child(&before, section);
    if let Some(known) = additions.iter().find(|it| known.is_some_and(|node| child(node, &it.name).is_some())) {
        return Err(CannotAdd::Known(known.name.clone()));
    }
    let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let place = place(text, &before, section);
    let mut new = text[..place.at].to_owned();
    if !new.is_empty() && !new.ends_with('\n') {
        new.push_str(end);
    }
    if place.needs_key {
        let gap = if new.trim().is_empty() { "" } else { end };
        new.push_str(&format!("{gap}{section}:{end}"));
    }
    for line in additions.iter().flat_map(|it| &it.lines) {
        let indent = if line.is_empty() { 0 } else { place.indent };
        new.push_str(&format!("{}{line}{end}", " ".repeat(indent)));
    }
    new.push_str(&text[place.at..]);
    let after = parse(&new).ok_or(CannotAdd::Form(section))?;
    match is_same_but(&before, &after, section, additions) {
        true => Ok(new),
        false => Err(CannotAdd::Form(section)),
    }
}

/// Where entries go, and how far in.
struct Place {
    /// The byte that they come before.
    at: usize,
    indent: usize,
    /// The section itself is not there.
    needs_key: bool,
}

fn place(text: &str, root: &Node, section: &str) -> Place {
    let Value::Map(entries) = &root.value else { return Place { at: text.len(), indent: 2, needs_key: true } };
    let Some((key, node)) = entries.iter().find(|(key, _)| key.text == section) else {
        return Place { at: text.len(), indent: 2, needs_key: true };
    };
    let first = match &node.value {
        Value::Map(inner) => inner.first().map(|(key, _)| column(text, key.span.start)),
        _ => None,
    };
    let indent = first.unwrap_or(2);
    let at = end_of_block(text, key.span.start, indent);
    Place { at, indent, needs_key: false }
}

/// How many bytes stand before a place on its line.
fn column(text: &str, at: usize) -> usize {
    at - text[..at].rfind('\n').map_or(0, |newline| newline + 1)
}

/// The end of the last line that belongs to a key's block: of those that are indented as deep as its entries. Comments
/// behind it belong to what follows, unless they are indented too.
fn end_of_block(text: &str, key: usize, indent: usize) -> usize {
    let mut at = key + text[key..].find('\n').map_or(text.len() - key, |newline| newline + 1);
    let mut end = at;
    for line in text[at..].split_inclusive('\n') {
        at += line.len();
        let inner = line.trim_end();
        let depth = inner.len() - inner.trim_start_matches(' ').len();
        if inner.is_empty() {
            continue;
        }
        if depth < indent {
            break;
        }
        end = at;
    }
    end
}

fn parse(text: &str) -> Option<Node> {
    let mut problems = Problems::default();
    let source = problems.sources.add(Path::new(""), text);
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Some(Node { value: Value::Null, span: super::Span { source, start: 0, end: 0 }, tag: None });
    }
    let node = yaml::parse(source, &mut problems)?;
    (!problems.has_errors()).then_some(node)
}

fn child<'a>(node: &'a Node, name: &str) -> Option<&'a Node> {
    match &node.value {
        Value::Map(entries) => entries.iter().find(|(key, _)| key.text == name).map(|(_, node)| node),
        _ => None,
    }
}

/// Whether a manifest is the other one and what was added, and nothing else.
fn is_same_but(before: &Node, after: &Node, section: &str, additions: &[Addition]) -> bool {
    let entries = |node: &Node| match &node.value {
        Value::Map(entries) => Some(entries.clone()),
        Value::Null => Some(Vec::new()),
        Value::Scalar(_) | Value::Seq(_) => None,
    };
    let (Some(old), Some(new)) = (entries(before), entries(after)) else { return false };
    let is_kept = |(key, node): &(super::node::Key, Node)| {
        let Some((_, now)) = new.iter().find(|(it, _)| it.text == key.text) else { return false };
        key.text == section || is_same(node, now)
    };
    let Some((_, now)) = new.iter().find(|(key, _)| key.text == section) else { return false };
    let old_section = child(before, section).and_then(entries).unwrap_or_default();
    let Some(inner) = entries(now) else { return false };
    old.iter().all(is_kept)
        && new.len() == old.len() + usize::from(child(before, section).is_none())
        && inner.len() == old_section.len() + additions.len()
        && old_section.iter().all(|(key, node)| inner.iter().any(|(it, now)| it.text == key.text && is_same(node, now)))
        && additions.iter().all(|it| inner.iter().any(|(key, _)| key.text == it.name))
}

/// The same but for its places.
fn is_same(a: &Node, b: &Node) -> bool {
    a.tag == b.tag
        && match (&a.value, &b.value) {
            (Value::Seq(a), Value::Seq(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(a, b)),
            (Value::Map(a), Value::Map(b)) => {
                let same = |((a, x), (b, y)): (&(super::node::Key, Node), &(super::node::Key, Node))| {
                    a.text == b.text && is_same(x, y)
                };
                a.len() == b.len() && a.iter().zip(b).all(same)
            }
            (a, b) => a == b,
        }
}

/// A text as a YAML scalar on one line.
pub fn scalar(text: &str) -> String {
    let is_plain = text.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || matches!(c, '.' | '/' | '_'))
        && text.chars().all(|c| c.is_ascii_alphanumeric() || " ./_-=+@%~".contains(c))
        && !text.ends_with(' ')
        && !matches!(
            text.to_ascii_lowercase().as_str(),
            "true" | "false" | "yes" | "no" | "on" | "off" | "null" | "y" | "n" | ".inf" | ".nan"
        );
    match is_plain {
        true => text.to_owned(),
        // JSON's texts are YAML's.
        false => serde_json::to_string(text).unwrap_or_default(),
    }
}

/// The same for a text that is no template: `$` stands for itself.
pub fn literal(text: &str) -> String {
    scalar(&text.replace("$$", "$$$$").replace("${", "$${"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn web() -> Vec<Addition> {
        vec![Addition { name: "web".into(), lines: vec!["# found".into(), "web:".into(), "  command: run".into()] }]
    }

    #[test]
    fn entries_go_to_the_end_of_their_section() {
        let cases = [
            ("", "services:\n  # found\n  web:\n    command: run\n"),
            ("# mine\nname: shop", "# mine\nname: shop\n\nservices:\n  # found\n  web:\n    command: run\n"),
            ("services:\n", "services:\n  # found\n  web:\n    command: run\n"),
            (
                "services:   # all\n    a:   # first\n        command: |\n            x\n\n            y\n    # last word\n\n# tasks\ntasks: {}\n",
                "services:   # all\n    a:   # first\n        command: |\n            x\n\n            y\n    # last word\n    # found\n    web:\n      command: run\n\n# tasks\ntasks: {}\n",
            ),
            ("services: {}\r\n", "services: {}\r\n"),
            (
                "name: a\r\nservices:\r\n  a: {command: x}\r\n",
                "name: a\r\nservices:\r\n  a: {command: x}\r\n  # found\r\n  web:\r\n    command: run\r\n",
            ),
        ];
        for (text, wanted) in cases {
            match add(text, "services", &web()) {
                Ok(new) => assert_eq!(new, wanted),
                Err(error) => assert_eq!((error, wanted), (CannotAdd::Form("services"), text)),
            }
        }
    }

    #[test]
    fn what_cannot_be_added_to_is_left_alone() {
        let cases = [
            ("services: {a: {command: x}}\n", CannotAdd::Form("services")),
            ("x-a: &a\n  a: {command: x}\nservices: *a\n", CannotAdd::Form("services")),
            ("services:\n  web: {command: x}\n", CannotAdd::Known("web".into())),
            ("services: [\n", CannotAdd::Broken),
        ];
        for (text, wanted) in cases {
            assert_eq!(add(text, "services", &web()), Err(wanted), "{text}");
        }
    }

    #[test]
    fn scalars_mean_what_they_say() {
        let texts =
            ["npm run dev", "a: b", "true", "-x", "echo \"$HOME\" # x", "3000", "", "a\nb", "é", "x ", "[a]", "*a"];
        for text in texts {
            let yaml = format!("k: {}\n", scalar(text));
            let node = parse(&yaml).unwrap();
            let Some(Value::Scalar(read)) = child(&node, "k").map(|it| &it.value) else { panic!("{yaml}") };
            assert_eq!(read.text.as_text(), Some(text), "{yaml}");
        }
        assert_eq!(literal("echo $$ ${A}"), "\"echo $$$$ $${A}\"");
    }
}

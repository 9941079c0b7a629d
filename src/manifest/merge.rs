//! Overlays: one document laid over another by Compose's rules (Compose spec, "Merge").
//!
//! Mappings merge key by key, lists are appended, scalars are replaced; commands are replaced whole, variables and
//! dependencies merge by name whichever way they are written, and `!reset` and `!override` do what they say.

use crate::model::Template;

use super::node::{Key, Node, Scalar, Tag, Value};

/// Lays `over` onto `base`.
pub fn merge(base: &mut Node, over: Node) {
    merge_at(base, over, &mut Vec::new());
}

/// Lays a version of the service `name` onto what its versions have in common.
pub fn merge_service(base: &mut Node, over: Node, name: &str) {
    merge_at(base, over, &mut vec!["services".to_owned(), name.to_owned()]);
}

fn merge_at(base: &mut Node, over: Node, path: &mut Vec<String>) {
    let by_name = is_by_name(path);
    if over.tag == Some(Tag::Override) || is_replaced(path) {
        *base = Node { tag: None, ..over };
        return;
    }
    if by_name {
        name_entries(base, path);
    }
    let mut over = over;
    if by_name {
        name_entries(&mut over, path);
    }
    match (&mut base.value, over.value) {
        (_, Value::Null) => {}
        (Value::Map(entries), Value::Map(above)) => {
            for (key, node) in above {
                merge_entry(entries, key, node, path);
            }
        }
        (Value::Seq(items), Value::Seq(above)) => {
            for item in above {
                if !items.iter().any(|known| same_scalar(known, &item)) {
                    items.push(item);
                }
            }
        }
        (_, value) => *base = Node { value, span: over.span, tag: None },
    }
}

fn merge_entry(entries: &mut Vec<(Key, Node)>, key: Key, node: Node, path: &mut Vec<String>) {
    if node.tag == Some(Tag::Reset) {
        entries.retain(|(known, _)| known.text != key.text);
        return;
    }
    let Some((_, base)) = entries.iter_mut().find(|(known, _)| known.text == key.text) else {
        entries.push((key, node));
        return;
    };
    path.push(key.text);
    merge_at(base, node, path);
    path.pop();
}

/// `services.X.command` and what else makes no sense glued together.
fn is_replaced(path: &[String]) -> bool {
    let last = path.last().map_or("", String::as_str);
    matches!(last, "command" | "entrypoint" | "exec" | "test" | "stop_command")
        && (path.len() == 3
            || path.iter().any(|word| matches!(word.as_str(), "readiness" | "startup" | "liveness" | "healthcheck")))
}

fn is_by_name(path: &[String]) -> bool {
    let last = path.last().map_or("", String::as_str);
    (path.len() == 3 && matches!(last, "environment" | "depends_on" | "labels"))
        || (path.len() == 1 && last == "environment")
}

/// Turns `[A=1, B]` into `{A: 1, B: }`, so that both spellings merge.
fn name_entries(node: &mut Node, path: &[String]) {
    let assigns = path.last().is_some_and(|last| last != "depends_on");
    let Value::Seq(items) = &mut node.value else { return };
    let entries = items.drain(..).filter_map(|item| {
        let Value::Scalar(scalar) = item.value else { return None };
        let written = scalar.text;
        let (name, value) = match written.0.first() {
            Some(crate::model::Piece::Text(first)) if assigns && first.contains('=') => split(written),
            _ => (written.written(), None),
        };
        let value = match value {
            Some(text) => Value::Scalar(Scalar { text, plain: false }),
            None => Value::Null,
        };
        Some((Key { text: name, span: item.span }, Node { value, span: item.span, tag: None }))
    });
    node.value = Value::Map(entries.collect());
}

fn split(mut template: Template) -> (String, Option<Template>) {
    use crate::model::Piece;
    let Some(Piece::Text(first)) = template.0.first_mut() else { return (String::new(), None) };
    let (name, value) =
        first.split_once('=').map_or((first.clone(), String::new()), |(a, b)| (a.to_owned(), b.to_owned()));
    *first = value;
    (name, Some(template))
}

fn same_scalar(a: &Node, b: &Node) -> bool {
    match (&a.value, &b.value) {
        (Value::Scalar(a), Value::Scalar(b)) => a.text == b.text,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::manifest::problem::Problems;
    use crate::manifest::yaml;

    fn parse(text: &str) -> Node {
        let mut problems = Problems::default();
        let source = problems.sources.add(Path::new("x"), text);
        let node = yaml::parse(source, &mut problems).unwrap();
        assert_eq!(problems.list, []);
        node
    }

    /// A short canonical spelling of a node.
    fn show(node: &Node) -> String {
        match &node.value {
            Value::Null => "~".into(),
            Value::Scalar(scalar) => scalar.text.written(),
            Value::Seq(items) => format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(" ")),
            Value::Map(entries) => {
                let shown: Vec<_> = entries.iter().map(|(key, node)| format!("{}:{}", key.text, show(node))).collect();
                format!("{{{}}}", shown.join(" "))
            }
        }
    }

    fn merged(base: &str, over: &str) -> String {
        let mut node = parse(&format!("services: {{ a: {base} }}"));
        merge(&mut node, parse(&format!("services: {{ a: {over} }}")));
        show(&node).strip_prefix("{services:{a:").unwrap().strip_suffix("}}").unwrap().to_owned()
    }

    #[test]
    fn follows_composes_rules() {
        let cases = [
            ("{ x: 1 }", "{ x: 2, y: 3 }", "{x:2 y:3}"),
            ("{ profiles: [a] }", "{ profiles: [b, a] }", "{profiles:[a b]}"),
            ("{ command: [a, b] }", "{ command: [c] }", "{command:[c]}"),
            ("{ environment: { A: 1 } }", "{ environment: [A=2, B] }", "{environment:{A:2 B:~}}"),
            ("{ environment: [A=1] }", "{ environment: { B: 2 } }", "{environment:{A:1 B:2}}"),
            ("{ depends_on: [a] }", "{ depends_on: { b: started } }", "{depends_on:{a:~ b:started}}"),
            ("{ x: 1, y: 2 }", "{ x: !reset null }", "{y:2}"),
            ("{ ports: { a: 1 } }", "{ ports: !override { b: 2 } }", "{ports:{b:2}}"),
            ("{ x: 1 }", "{ x: }", "{x:1}"),
        ];
        for (base, over, result) in cases {
            assert_eq!(merged(base, over), result, "{base} + {over}");
        }
    }
}

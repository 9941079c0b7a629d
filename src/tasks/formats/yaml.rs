//! YAML as other tools' files are written in: lenient, with merge keys and aliases resolved without copies.
//!
//! The manifest has its own reader (`manifest::yaml`), which is stricter and knows our tags. Both stand on the same
//! parser.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use granit_parser::{Event, Parser, ScalarStyle, Span};

use super::{Key, Node, Value};
use crate::tasks::{Position, Unreadable};

/// More nodes than this are no file that people write.
const MOST: usize = 1 << 20;

/// Reads the first document; an empty text is null.
pub fn parse(text: &str) -> Result<Node, Unreadable> {
    let mut builder = Builder { anchors: HashMap::new(), open: Vec::new(), root: None, nodes: 0 };
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            let at = Position { line: error.marker().line(), column: error.marker().col() + 1 };
            Unreadable::at(format!("not valid YAML: {}", error.info()), at)
        })?;
        if matches!(event, Event::DocumentEnd) {
            break;
        }
        builder.take(event, &span)?;
    }
    let nothing = Node { value: Value::Null, at: Position { line: 1, column: 1 } };
    Ok(builder.root.unwrap_or(nothing))
}

struct Builder {
    anchors: HashMap<usize, Node>,
    open: Vec<Open>,
    root: Option<Node>,
    nodes: usize,
}

/// A collection whose end has not come yet.
struct Open {
    at: Position,
    anchor: usize,
    items: Items,
}

enum Items {
    List(Vec<Node>),
    Map { entries: Vec<(Key, Node)>, key: Option<Node> },
}

impl Builder {
    fn take(&mut self, event: Event<'_>, span: &Span) -> Result<(), Unreadable> {
        let at = Position { line: span.start.line(), column: span.start.col() + 1 };
        match event {
            Event::Scalar(text, style, anchor, _) => {
                let node = Node { value: scalar(text, style), at };
                self.put(node, anchor)
            }
            Event::Alias(anchor) => {
                let value = self.anchors.get(&anchor).map_or(Value::Null, |node| node.value.clone());
                self.put(Node { value, at }, 0)
            }
            Event::SequenceStart(_, anchor, _) => {
                self.open.push(Open { at, anchor, items: Items::List(Vec::new()) });
                Ok(())
            }
            Event::MappingStart(_, anchor, _) => {
                self.open.push(Open { at, anchor, items: Items::Map { entries: Vec::new(), key: None } });
                Ok(())
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(open) => {
                    let value = match open.items {
                        Items::List(items) => Value::List(Arc::new(items)),
                        Items::Map { entries, .. } => Value::Map(Arc::new(entries)),
                    };
                    self.put(Node { value, at: open.at }, open.anchor)
                }
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn put(&mut self, node: Node, anchor: usize) -> Result<(), Unreadable> {
        self.nodes += 1;
        if self.nodes > MOST {
            return Err(Unreadable::at(format!("it has more than {MOST} values"), node.at));
        }
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut open.items {
            Items::List(items) => items.push(node),
            Items::Map { entries, key } => match key.take() {
                None => *key = Some(node),
                Some(key) => add(entries, &key, node),
            },
        }
        if let Items::Map { entries, .. } = &open.items {
            // A merge copies the entries of its anchor, which nested anchors could multiply.
            self.nodes += usize::from(entries.len() > 1000);
        }
        Ok(())
    }
}

/// Adds an entry, and for `<<` those of the merged maps that are not there yet.
fn add(entries: &mut Vec<(Key, Node)>, key: &Node, node: Node) {
    let Some(text) = key.scalar() else { return };
    if text != "<<" {
        let new = Key { text: text.into(), at: key.at };
        // What was merged gives way to what is written.
        match entries.iter_mut().find(|(it, _)| *it.text == *new.text) {
            Some(old) => *old = (new, node),
            None => entries.push((new, node)),
        }
        return;
    }
    let maps = if node.is_map() { std::slice::from_ref(&node) } else { node.items() };
    for (key, value) in maps.iter().flat_map(Node::entries).take(MOST.saturating_sub(entries.len())) {
        if !entries.iter().any(|(it, _)| it.text == key.text) {
            entries.push((key.clone(), value.clone()));
        }
    }
}

/// Plain scalars by the core schema of YAML 1.2; `yes` and `on` are texts.
fn scalar(text: Cow<'_, str>, style: ScalarStyle) -> Value {
    if style != ScalarStyle::Plain {
        return Value::Text(text.into());
    }
    match &*text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        number
            if number.parse::<f64>().is_ok()
                && number.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) =>
        {
            Value::Number(text.into())
        }
        _ => Value::Text(text.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anchors_merges_and_positions() {
        let text = "base: &b {image: x, on: yes}\njobs:\n  'a b':\n    <<: *b\n    image: y\n  2: *b\nlist:\n- 1.5\n- |\n  two\n  lines\n";
        let root = parse(text).unwrap();
        let jobs = root.below(&["jobs"]);
        assert_eq!((&*jobs[0].0.text, jobs[0].0.at.line, jobs[0].0.at.column), ("a b", 3, 3));
        assert_eq!((jobs[0].1.text_of("image"), jobs[0].1.text_of("on")), (Some("y"), Some("yes")));
        assert_eq!((&*jobs[1].0.text, jobs[1].1.text_of("image"), jobs[1].1.at.line), ("2", Some("x"), 6));
        assert_eq!(root.texts_of("list"), ["1.5", "two\nlines\n"]);
    }

    #[test]
    fn what_is_wrong_has_a_place() {
        let at = parse("a: 1\nb: [1, 2\nc: 3\n").unwrap_err().at.unwrap();
        assert!(at.line >= 2, "{at:?}");
        let tab = parse("a:\n\tb: 1\n").unwrap_err();
        assert_eq!(tab.at.unwrap().line, 2, "{tab:?}");
        assert!(parse(&"[".repeat(100_000)).is_err());
        assert_eq!(parse("").unwrap().value, Value::Null);
    }

    #[test]
    fn aliases_of_aliases_cost_nothing() {
        let mut text = "a0: &a0 [x]\n".to_owned();
        for level in 1..40 {
            let one = format!("*a{}", level - 1);
            text += &format!("a{level}: &a{level} [{one}, {one}, {one}]\n");
        }
        assert_eq!(parse(&text).unwrap().entries().len(), 40);
    }

    #[test]
    fn a_second_document_is_left_alone() {
        assert_eq!(parse("a: 1\n---\nb: 2\n").unwrap().entries().len(), 1);
    }
}

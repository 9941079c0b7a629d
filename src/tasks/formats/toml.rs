//! TOML, with positions.

use std::ops::Range;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::{Key, Lines, Node, Value};
use crate::tasks::{Position, Unreadable};

/// Reads a document.
pub fn parse(text: &str) -> Result<Node, Unreadable> {
    let lines = Lines::of(text);
    let table = DeTable::parse(text).map_err(|error| {
        let at = error.span().map(|span| Position::of(text, span.start));
        Unreadable { reason: format!("not valid TOML: {}", error.message()), at }
    })?;
    Ok(Node { value: map(table.get_ref(), &lines), at: Position { line: 1, column: 1 } })
}

fn map(table: &DeTable<'_>, lines: &Lines<'_>) -> Value {
    let entries = table.iter().map(|(key, value)| {
        let key_at = lines.position(key.span().start);
        (Key { text: key.get_ref().as_ref().into(), at: key_at }, node(value.get_ref(), value.span(), lines))
    });
    Value::Map(Arc::new(entries.collect()))
}

fn node(value: &DeValue<'_>, span: Range<usize>, lines: &Lines<'_>) -> Node {
    let at = lines.position(span.start);
    let value = match value {
        DeValue::String(text) => Value::Text(text.as_ref().into()),
        DeValue::Integer(number) => Value::Number(number.as_str().into()),
        DeValue::Float(number) => Value::Number(number.as_str().into()),
        DeValue::Boolean(truth) => Value::Bool(*truth),
        DeValue::Datetime(time) => Value::Text(time.to_string().into()),
        DeValue::Array(items) => {
            Value::List(Arc::new(items.iter().map(|item| node(item.get_ref(), item.span(), lines)).collect()))
        }
        DeValue::Table(table) => map(table, lines),
    };
    Node { value, at }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_positions() {
        let root = parse(
            "[tool.poe.tasks]\nb = 'x'\n\"a c\" = { cmd = \"y\", n = 0x1F }\n[tool.poe.tasks.z]\nk = [1, 'two']\n",
        )
        .unwrap();
        let tasks = root.below(&["tool", "poe", "tasks"]);
        let seen: Vec<(&str, usize)> = tasks.iter().map(|(key, _)| (&*key.text, key.at.line)).collect();
        assert_eq!(seen, [("b", 2), ("a c", 3), ("z", 4)]);
        assert_eq!(tasks[1].1.text_of("cmd"), Some("y"));
        assert_eq!(tasks[2].1.texts_of("k"), ["1", "two"]);
    }

    #[test]
    fn what_is_wrong_has_a_place() {
        let wrong = parse("[a]\nb = \n").unwrap_err();
        assert_eq!(wrong.at.unwrap().line, 2, "{wrong:?}");
        assert!(wrong.reason.starts_with("not valid TOML: "));
        assert!(parse(&format!("a = {}", "[".repeat(100_000))).is_err());
    }
}

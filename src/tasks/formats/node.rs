//! A document as a tree with positions, whichever format it was written in.

use std::sync::Arc;

use crate::tasks::Position;

/// A value and where it begins. Copies are cheap, as an alias in YAML is one.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    pub value: Value,
    pub at: Position,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Null,
    Bool(bool),
    /// As it was written.
    Number(Arc<str>),
    Text(Arc<str>),
    List(Arc<Vec<Node>>),
    Map(Arc<Vec<(Key, Node)>>),
}

/// The key of an entry of a map.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    pub text: Arc<str>,
    pub at: Position,
}

impl Node {
    /// The value of a key, the last one where it stands twice.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entries().iter().rev().find(|(it, _)| &*it.text == key).map(|(_, node)| node)
    }

    /// The value below several keys.
    pub fn path(&self, keys: &[&str]) -> Option<&Self> {
        keys.iter().try_fold(self, |node, key| node.get(key))
    }

    /// The entries of a map; none where it is none.
    pub fn entries(&self) -> &[(Key, Self)] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The entries below several keys.
    pub fn below(&self, keys: &[&str]) -> &[(Key, Self)] {
        self.path(keys).map_or(&[], Self::entries)
    }

    /// The items of a list; none where it is none.
    pub fn items(&self) -> &[Self] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    /// A text, not a number.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A text, or a number or truth value as it was written.
    pub fn scalar(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) | Value::Number(text) => Some(text),
            Value::Bool(true) => Some("true"),
            Value::Bool(false) => Some("false"),
            Value::Null | Value::List(_) | Value::Map(_) => None,
        }
    }

    /// A truth value; YAML's may be quoted.
    pub fn is_true(&self) -> bool {
        matches!(self.value, Value::Bool(true)) || self.text() == Some("true")
    }

    pub fn is_map(&self) -> bool {
        matches!(self.value, Value::Map(_))
    }

    /// The texts of a list, or the only one.
    pub fn texts(&self) -> Vec<String> {
        match self.scalar() {
            Some(text) => vec![text.to_owned()],
            None => self.items().iter().filter_map(Self::scalar).map(str::to_owned).collect(),
        }
    }

    /// The text of a key.
    pub fn text_of(&self, key: &str) -> Option<&str> {
        self.get(key)?.scalar()
    }

    /// The texts of a key's list, or its only one.
    pub fn texts_of(&self, key: &str) -> Vec<String> {
        self.get(key).map(Self::texts).unwrap_or_default()
    }

    /// Whether a key is there and true.
    pub fn flag(&self, key: &str) -> bool {
        self.get(key).is_some_and(Self::is_true)
    }

    /// The names of a key's map, or the texts of its list.
    pub fn names_of(&self, key: &str) -> Vec<String> {
        match self.get(key) {
            Some(node) if node.is_map() => node.entries().iter().map(|(key, _)| key.text.to_string()).collect(),
            Some(node) => node.texts(),
            None => Vec::new(),
        }
    }
}

//! Paths: what names are made of.

use std::fmt;

use super::label::Label;

/// A name, element by element: `/svc/users`. `/` has none.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(Vec<Label>);

impl Path {
    /// The path of these elements.
    pub fn new(labels: Vec<Label>) -> Self {
        Self(labels)
    }

    /// The path of these elements; `None` where one of them is empty.
    pub fn of<'a>(labels: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        labels.into_iter().map(|label| Label::new(label.as_bytes())).collect::<Option<_>>().map(Self)
    }

    /// Its elements.
    pub fn labels(&self) -> &[Label] {
        &self.0
    }

    /// How many elements it has.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it is `/`.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// This path with more behind it.
    pub fn join(&self, rest: &[Label]) -> Self {
        Self([self.labels(), rest].concat())
    }

    /// What is behind a path that this one starts with.
    pub fn strip_prefix(&self, start: &Self) -> Option<&[Label]> {
        self.0.strip_prefix(start.labels())
    }

    /// The first elements, and the others. Where there are fewer, all of them are the first.
    pub fn split_at(&self, count: usize) -> (Self, Self) {
        let (first, rest) = self.0.split_at(count.min(self.len()));
        (Self(first.to_vec()), Self(rest.to_vec()))
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

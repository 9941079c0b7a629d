//! Prefixes: which paths an entry is for.

use super::label::Label;
use super::path::Path;

/// One element of a prefix.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Element {
    /// `*`: any one element. What it was cannot be referred to.
    Any,
    /// This element, byte by byte.
    Label(Label),
}

impl Element {
    /// What is written there; `None` for `*`.
    pub fn label(&self) -> Option<&Label> {
        match self {
            Self::Any => None,
            Self::Label(label) => Some(label),
        }
    }
}

/// The start of the paths that an entry is for: `/svc/*`. `/` starts them all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Prefix(Vec<Element>);

impl Prefix {
    /// The prefix of these elements.
    pub fn new(elements: Vec<Element>) -> Self {
        Self(elements)
    }

    /// Its elements.
    pub fn elements(&self) -> &[Element] {
        &self.0
    }

    /// How many elements it has, and takes off a path.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it is `/`.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is behind it, for a path that it starts (finagle: `Prefix.matches`).
    pub fn strip<'p>(&self, path: &'p Path) -> Option<&'p [Label]> {
        let (start, rest) = path.labels().split_at_checked(self.len())?;
        let is_met = |(element, label): (&Element, &Label)| match element {
            Element::Any => true,
            Element::Label(wanted) => wanted == label,
        };
        self.0.iter().zip(start).all(is_met).then_some(rest)
    }
}

impl From<Path> for Prefix {
    fn from(path: Path) -> Self {
        Self(path.labels().iter().cloned().map(Element::Label).collect())
    }
}

//! Prefixes and names as one tree, an element a level, so that a question of one of them does not look at all others.

use std::cell::Cell;
use std::collections::HashMap;

use crate::dtab::{Element, Label};

/// Nodes that are looked at for one question. Wildcards may have a question go all ways at once; whoever gives up
/// answers as if nothing was wrong.
const MOST: usize = 300;

/// What was added, by its elements.
#[derive(Debug)]
pub struct Trie {
    nodes: Vec<Node>,
    /// How many nodes were looked at for all questions so far, which is what they cost.
    looks: Cell<usize>,
}

#[derive(Debug, Default)]
struct Node {
    below: HashMap<Label, usize>,
    any: Option<usize>,
    /// The greatest number that was given to what ends here.
    last: Option<usize>,
}

/// More was to be looked at than [`MOST`].
#[derive(Debug)]
struct TooMuch;

impl Trie {
    /// Those of an iterator, each with a number.
    pub fn of<'e, I: IntoIterator<Item = &'e Element>>(all: impl IntoIterator<Item = (usize, I)>) -> Self {
        let mut trie = Self { nodes: vec![Node::default()], looks: Cell::default() };
        for (number, elements) in all {
            let end = elements.into_iter().fold(0, |node, element| trie.child(node, element));
            let last = &mut trie.nodes[end].last;
            *last = (*last).max(Some(number));
        }
        trie
    }

    fn child(&mut self, node: usize, element: &Element) -> usize {
        let next = self.nodes.len();
        let node = &mut self.nodes[node];
        let below = match element {
            Element::Any => *node.any.get_or_insert(next),
            Element::Label(label) => *node.below.entry(label.clone()).or_insert(next),
        };
        if below == next {
            self.nodes.push(Node::default());
        }
        below
    }

    /// The greatest number of those that are for all that begins with these elements.
    pub fn wider(&self, elements: &[Element]) -> Option<usize> {
        let mut found = None;
        let _ = self.look(|node, depth, next| {
            found = found.max(node.last);
            match elements.get(depth) {
                Some(Element::Label(label)) => next.extend(node.below.get(label).into_iter().chain(&node.any)),
                Some(Element::Any) => next.extend(node.any),
                None => {}
            }
            false
        });
        found
    }

    /// Whether one of them begins as these elements do, or they as it does.
    pub fn meets(&self, elements: &[Element]) -> bool {
        let met = self.look(|node, depth, next| {
            let Some(element) = elements.get(depth) else { return true };
            match element {
                Element::Label(label) => next.extend(node.below.get(label)),
                // One more than is looked at is enough to give up.
                Element::Any => next.extend(node.below.values().chain(&node.any).take(MOST + 1)),
            }
            node.last.is_some()
        });
        met.unwrap_or(true)
    }

    /// Shows nodes and their depth, from the root on, and goes on to those that `see` names, until it says that this is
    /// enough.
    fn look(&self, mut see: impl FnMut(&Node, usize, &mut Vec<usize>) -> bool) -> Result<bool, TooMuch> {
        let (mut open, mut next) = (vec![(0, 0)], Vec::new());
        for _ in 0..MOST {
            let Some((node, depth)) = open.pop() else { return Ok(false) };
            self.looks.set(self.looks.get() + 1);
            if see(&self.nodes[node], depth, &mut next) {
                return Ok(true);
            }
            open.extend(next.drain(..).map(|node| (node, depth + 1)));
        }
        if open.is_empty() { Ok(false) } else { Err(TooMuch) }
    }

    /// How many nodes were looked at so far.
    #[cfg(test)]
    pub fn looks(&self) -> usize {
        self.looks.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtab::Prefix;

    fn prefix(text: &str) -> Prefix {
        text.parse().unwrap()
    }

    fn trie(texts: &[&str]) -> Trie {
        let prefixes: Vec<Prefix> = texts.iter().map(|text| prefix(text)).collect();
        Trie::of(prefixes.iter().map(Prefix::elements).enumerate())
    }

    #[test]
    fn wider_ones_are_for_all_that_a_prefix_is_for() {
        let all = trie(&["/a/b", "/a", "/*/c", "/*", "/a/*/d"]);
        let cases = [
            ("/a/b", Some(3)),
            ("/a/c", Some(3)),
            ("/*/c", Some(3)),
            ("/a/x/d", Some(4)),
            ("/*/x/d", Some(3)),
            ("/", None),
        ];
        for (text, expected) in cases {
            assert_eq!(all.wider(prefix(text).elements()), expected, "{text}");
        }
        assert_eq!(trie(&["/", "/x"]).wider(prefix("/a").elements()), Some(0));
    }

    #[test]
    fn names_meet_that_agree_as_far_as_both_go() {
        let all = trie(&["/a/b", "/c/d/e"]);
        for met in ["/", "/a", "/*", "/a/b/c", "/*/b", "/*/d/*/x", "/c/*/e"] {
            assert!(all.meets(prefix(met).elements()), "{met}");
        }
        for alone in ["/b", "/a/c", "/*/c", "/c/d/x", "/c/*/x"] {
            assert!(!all.meets(prefix(alone).elements()), "{alone}");
        }
        assert!(!trie(&[]).meets(prefix("/a").elements()));
    }
}

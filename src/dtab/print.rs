//! Values as texts that mean the same (finagle: `Path.showElem`, `NameTree.show`).
//!
//! Unlike finagle, which writes weights with two decimals and so loses small ones at the first hop of an override,
//! a weight is the shortest number that reads back as the same.

use std::fmt::{Display, Formatter, Result, Write};

use super::Dtab;
use super::dentry::Dentry;
use super::label::{Label, is_showable};
use super::path::Path;
use super::prefix::{Element, Prefix};
use super::tree::{NameTree, Weighted};
use super::weight::Weight;

/// Either as it is, or every byte escaped.
impl Display for Label {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self.as_str() {
            Some(text) if text.bytes().all(is_showable) => f.write_str(text),
            _ => self.as_bytes().iter().try_for_each(|byte| write!(f, "\\x{byte:02x}")),
        }
    }
}

impl Display for Path {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        elements(f, self.labels())
    }
}

impl Display for Element {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Any => f.write_char('*'),
            Self::Label(label) => label.fmt(f),
        }
    }
}

impl Display for Prefix {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        elements(f, self.elements())
    }
}

/// Rust writes floating-point numbers without an exponent, which the grammar has not.
impl Display for Weight {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        self.get().fmt(f)
    }
}

impl<T: Display> Display for NameTree<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        tree(f, self, Within::Nothing)
    }
}

impl Display for Dentry {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{}=>{}", self.prefix, self.tree)
    }
}

/// One line, fit for a header.
impl Display for Dtab {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        separated(f, self.entries(), ";", |f, entry| entry.fmt(f))
    }
}

/// What a tree is part of: parentheses stand only where they change the meaning.
#[derive(Clone, Copy, PartialEq)]
enum Within {
    Nothing,
    Alt,
    Union,
}

fn tree<T: Display>(f: &mut Formatter<'_>, tree_: &NameTree<T>, within: Within) -> Result {
    match tree_ {
        NameTree::Leaf(leaf) => leaf.fmt(f),
        NameTree::Fail => f.write_char('!'),
        NameTree::Empty => f.write_char('$'),
        NameTree::Neg => f.write_char('~'),
        NameTree::Alt(trees) => match trees.as_slice() {
            [] => f.write_char('~'),
            [only] => tree(f, only, within),
            all => parenthesised(f, within != Within::Nothing, |f| {
                separated(f, all, " | ", |f, one| tree(f, one, Within::Alt))
            }),
        },
        NameTree::Union(branches) => match branches.as_slice() {
            [] => f.write_char('~'),
            [only] => tree(f, &only.tree, within),
            all => parenthesised(f, within == Within::Union, |f| separated(f, all, " & ", weighted)),
        },
    }
}

fn weighted<T: Display>(f: &mut Formatter<'_>, branch: &Weighted<T>) -> Result {
    if branch.weight != Weight::ONE {
        write!(f, "{}*", branch.weight)?;
    }
    tree(f, &branch.tree, Within::Union)
}

fn parenthesised(f: &mut Formatter<'_>, needed: bool, content: impl Fn(&mut Formatter<'_>) -> Result) -> Result {
    if !needed {
        return content(f);
    }
    f.write_char('(')?;
    content(f)?;
    f.write_char(')')
}

fn separated<T>(
    f: &mut Formatter<'_>,
    items: &[T],
    separator: &str,
    item: impl Fn(&mut Formatter<'_>, &T) -> Result,
) -> Result {
    for (place, one) in items.iter().enumerate() {
        if place > 0 {
            f.write_str(separator)?;
        }
        item(f, one)?;
    }
    Ok(())
}

fn elements<T: Display>(f: &mut Formatter<'_>, items: &[T]) -> Result {
    if items.is_empty() {
        return f.write_char('/');
    }
    items.iter().try_for_each(|item| write!(f, "/{item}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_lossless() {
        let texts = ["0.001", "0.1", "99.9", "0", "12345678901234567000", "0.30000000000000004"];
        for text in texts {
            let tree: NameTree<Path> = format!("{text}*/a & /b").parse().unwrap();
            assert_eq!(tree.to_string(), format!("{text}*/a & /b"));
        }
    }

    #[test]
    fn what_only_namers_make_is_printed_as_what_it_means() {
        let nothing: NameTree<Path> = NameTree::Alt(vec![NameTree::Union(Vec::new()), NameTree::Alt(Vec::new())]);
        assert_eq!(nothing.to_string(), "~ | ~");
        let deep: NameTree<Path> = "/a & (/b | /c) & (/d & /e)".parse().unwrap();
        assert_eq!(NameTree::Alt(vec![deep]).to_string(), "/a & (/b | /c) & (/d & /e)");
    }
}

//! Texts become values, by recursive descent (finagle: `NameTreeParsers`).
//!
//! ```text
//! dtab     := [ dentry { ';' dentry } [ ';' ] ]
//! dentry   := prefix '=>' tree
//! prefix   := '/' [ ( '*' | label ) { '/' ( '*' | label ) } ]
//! tree     := union { '|' union }
//! union    := weighted { '&' weighted }
//! weighted := [ number '*' ] ( '(' tree ')' | path | '!' | '~' | '$' )
//! path     := '/' [ label { '/' label } ]
//! label    := ( showable | '\x' hex hex )+
//! number   := digits and one dot at most, not the dot alone
//! ```
//!
//! White space and `#` comments stand between these, never inside a path.

use std::str::FromStr;

use super::Dtab;
use super::cursor::Cursor;
use super::dentry::Dentry;
use super::label::{Label, is_showable};
use super::path::Path;
use super::prefix::{Element, Prefix};
use super::syntax_error::{Expected, SyntaxError};
use super::tree::{NameTree, Weighted};
use super::weight::Weight;

/// Parentheses inside each other, at most: each costs stack.
const NESTING: usize = 100;

type Read<T> = Result<T, SyntaxError>;

macro_rules! from_text {
    ($type:ty, $read:expr, $end:expr) => {
        impl FromStr for $type {
            type Err = SyntaxError;

            fn from_str(text: &str) -> Read<Self> {
                whole(text, $read, $end)
            }
        }
    };
}

from_text!(Path, Reader::path, Expected::End);
from_text!(Prefix, Reader::prefix, Expected::End);
from_text!(NameTree<Path>, Reader::tree, Expected::End);
from_text!(Dentry, Reader::dentry, Expected::End);
from_text!(Dtab, |reader| reader.dtab(Joined::No), Expected::EntryEnd);

impl Dtab {
    /// Reads tables separated by commas, each of which may be empty, as one: what becomes of repeated header lines that
    /// somebody has joined. A comma is never part of a table, but may be of a comment.
    pub fn parse_joined(text: &str) -> Read<Self> {
        whole(text, |reader| reader.dtab(Joined::ByCommas), Expected::EntryEnd)
    }
}

/// Whether commas separate tables.
#[derive(Clone, Copy, PartialEq)]
enum Joined {
    No,
    ByCommas,
}

struct Reader<'t> {
    cursor: Cursor<'t>,
    /// Parentheses that are open.
    open: usize,
}

fn whole<'t, T>(text: &'t str, read: impl FnOnce(&mut Reader<'t>) -> Read<T>, end: Expected) -> Read<T> {
    let mut reader = Reader { cursor: Cursor::new(text), open: 0 };
    let value = read(&mut reader)?;
    reader.cursor.blank();
    match reader.cursor.peek() {
        None => Ok(value),
        Some(_) => reader.fail(end),
    }
}

impl Reader<'_> {
    fn fail<T>(&self, expected: Expected) -> Read<T> {
        Err(SyntaxError::new(&self.cursor, expected))
    }

    fn eat(&mut self, wanted: char, expected: Expected) -> Read<()> {
        if self.cursor.eat(wanted) { Ok(()) } else { self.fail(expected) }
    }

    fn dtab(&mut self, joined: Joined) -> Read<Dtab> {
        let is_comma = |next| next == ',' && joined == Joined::ByCommas;
        let mut entries = Vec::new();
        loop {
            self.cursor.blank();
            if self.cursor.peek().is_some_and(|next| !is_comma(next)) {
                entries.push(self.dentry()?);
                self.cursor.blank();
            }
            if self.cursor.eat_if(|next| next == ';' || is_comma(next)).is_none() {
                return Ok(Dtab::new(entries));
            }
        }
    }

    fn dentry(&mut self) -> Read<Dentry> {
        let prefix = self.prefix()?;
        self.cursor.blank();
        self.eat('=', Expected::Equals)?;
        self.eat('>', Expected::Greater)?;
        Ok(Dentry { prefix, tree: self.tree()? })
    }

    fn prefix(&mut self) -> Read<Prefix> {
        self.elements(|next| next == '*' || starts_label(next), Self::element).map(Prefix::new)
    }

    fn path(&mut self) -> Read<Path> {
        self.elements(starts_label, Self::label).map(Path::new)
    }

    /// `/`, alone or with elements that are separated by more of them.
    fn elements<T>(&mut self, starts: fn(char) -> bool, element: fn(&mut Self) -> Read<T>) -> Read<Vec<T>> {
        self.cursor.blank();
        self.eat('/', Expected::Slash)?;
        let mut elements = Vec::new();
        if self.cursor.peek().is_none_or(|next| !starts(next)) {
            return Ok(elements);
        }
        loop {
            elements.push(element(self)?);
            if !self.cursor.eat('/') {
                return Ok(elements);
            }
        }
    }

    fn element(&mut self) -> Read<Element> {
        if self.cursor.eat('*') { Ok(Element::Any) } else { self.label().map(Element::Label) }
    }

    fn label(&mut self) -> Read<Label> {
        let mut bytes = Vec::new();
        while self.cursor.peek().is_some_and(starts_label) {
            bytes.push(self.byte()?);
        }
        Label::new(&bytes).map_or_else(|| self.fail(Expected::Label), Ok)
    }

    /// One byte of a label, in clear or escaped.
    fn byte(&mut self) -> Read<u8> {
        let start = self.cursor.at();
        if self.cursor.eat('\\') {
            self.eat('x', Expected::EscapeX)?;
            return Ok(self.hex_digit()? << 4 | self.hex_digit()?);
        }
        let shown = self.cursor.eat_if(starts_label).and_then(|_| self.cursor.since(start).bytes().next());
        shown.map_or_else(|| self.fail(Expected::Label), Ok)
    }

    fn hex_digit(&mut self) -> Read<u8> {
        let digit = self.cursor.eat_if(|next| next.is_ascii_hexdigit()).and_then(|digit| digit.to_digit(16));
        digit.and_then(|digit| u8::try_from(digit).ok()).map_or_else(|| self.fail(Expected::HexDigit), Ok)
    }

    fn tree(&mut self) -> Read<NameTree<Path>> {
        self.separated('|', Self::union).map(NameTree::alternatives)
    }

    fn union(&mut self) -> Read<NameTree<Path>> {
        self.separated('&', Self::weighted).map(NameTree::union)
    }

    fn separated<T>(&mut self, separator: char, item: fn(&mut Self) -> Read<T>) -> Read<Vec<T>> {
        let mut items = Vec::new();
        loop {
            items.push(item(self)?);
            self.cursor.blank();
            if !self.cursor.eat(separator) {
                return Ok(items);
            }
        }
    }

    fn weighted(&mut self) -> Read<Weighted<Path>> {
        self.cursor.blank();
        let weight = match self.cursor.peek() {
            Some(next) if in_number(next) => self.weight()?,
            _ => Weight::ONE,
        };
        Ok(Weighted { weight, tree: self.simple()? })
    }

    fn weight(&mut self) -> Read<Weight> {
        let weight = self.number()?;
        self.cursor.blank();
        self.eat('*', Expected::Star)?;
        Ok(weight)
    }

    fn number(&mut self) -> Read<Weight> {
        let start = self.cursor.at();
        let mut dots = 0;
        while let Some(next) = self.cursor.peek().filter(|&next| in_number(next)) {
            dots += usize::from(next == '.');
            if dots > 1 {
                return self.fail(Expected::Digit);
            }
            self.cursor.eat(next);
        }
        let number = self.cursor.since(start).parse().ok().and_then(Weight::new);
        number.map_or_else(|| self.fail(Expected::Weight), Ok)
    }

    fn simple(&mut self) -> Read<NameTree<Path>> {
        self.cursor.blank();
        match self.cursor.peek() {
            Some('/') => self.path().map(NameTree::Leaf),
            Some('(') => self.parenthesised(),
            Some(symbol @ ('!' | '~' | '$')) => {
                self.cursor.eat(symbol);
                Ok(match symbol {
                    '!' => NameTree::Fail,
                    '~' => NameTree::Neg,
                    _ => NameTree::Empty,
                })
            }
            _ => self.fail(Expected::Tree),
        }
    }

    fn parenthesised(&mut self) -> Read<NameTree<Path>> {
        if self.open == NESTING {
            return self.fail(Expected::LessNesting);
        }
        self.open += 1;
        self.cursor.eat('(');
        let tree = self.tree()?;
        self.eat(')', Expected::Closing)?;
        self.open -= 1;
        Ok(tree)
    }
}

fn starts_label(c: char) -> bool {
    c == '\\' || u8::try_from(c).is_ok_and(is_showable)
}

fn in_number(c: char) -> bool {
    c.is_ascii_digit() || c == '.'
}

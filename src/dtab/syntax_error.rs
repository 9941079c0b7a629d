//! Where a text stops being a dtab, and what to do about it.

use std::fmt;

use super::cursor::Cursor;
use super::hint;

/// A text that could not be read, with the place where reading stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxError {
    /// In bytes, from 0. The length of the text where it ended too early.
    pub offset: usize,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    pub expected: Expected,
    /// What stands there; `None` at the end of the text.
    pub found: Option<char>,
    /// What to write instead, where that can be guessed.
    pub hint: Option<String>,
    /// The whole line of the place.
    pub source: String,
}

/// What could have stood at the place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    Slash,
    Label,
    EscapeX,
    HexDigit,
    Equals,
    Greater,
    Tree,
    Digit,
    Weight,
    Star,
    Closing,
    LessNesting,
    /// The end of a path, prefix, tree or entry that stands alone.
    End,
    /// The end of an entry of a table.
    EntryEnd,
}

impl Expected {
    /// For the sentence "expected …".
    pub fn words(self) -> &'static str {
        match self {
            Self::Slash => "`/`",
            Self::Label => "a label of letters, digits and _ : . # $ % -",
            Self::EscapeX => "`x` and two hex digits",
            Self::HexDigit => "a hex digit",
            Self::Equals | Self::Greater => "`=>`",
            Self::Tree => "a path, `!`, `~`, `$` or `(`",
            Self::Digit => "one dot at most",
            Self::Weight => "a weight",
            Self::Star => "`*` behind a weight",
            Self::Closing => "`)`",
            Self::LessNesting => "fewer parentheses inside each other",
            Self::End => "the end",
            Self::EntryEnd => "`;` or the end",
        }
    }
}

impl SyntaxError {
    pub(super) fn new(cursor: &Cursor<'_>, expected: Expected) -> Self {
        let (before, _) = cursor.text().split_at(cursor.at());
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            offset: cursor.at(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            expected,
            found: cursor.peek(),
            hint: hint::find(cursor, expected),
            source: cursor.text()[line_start..].lines().next().unwrap_or_default().to_owned(),
        }
    }

    /// What is wrong, without where and without the hint.
    pub fn message(&self) -> String {
        let found = match self.found {
            Some(found) if found.is_control() => format!("`{}`", found.escape_default()),
            Some(found) => format!("`{found}`"),
            None => "the end".to_owned(),
        };
        format!("expected {}, found {found}", self.expected.words())
    }

    /// The line of the place, and a caret below the place.
    pub fn excerpt(&self) -> String {
        let blank = |c: char| if c == '\t' { c } else { ' ' };
        let indent: String = self.source.chars().map(blank).take(self.column - 1).collect();
        format!("{}\n{indent}^", self.source)
    }
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.message())?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, " ({hint})"))
    }
}

impl std::error::Error for SyntaxError {}

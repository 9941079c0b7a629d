//! The files that were read, and places in them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Every file that took part in reading a manifest.
#[derive(Debug, Clone, Default)]
pub struct Sources(Vec<Source>);

/// One file and its text.
#[derive(Debug, Clone)]
pub struct Source {
    pub path: PathBuf,
    pub text: Arc<str>,
    /// Where each line begins.
    lines: Arc<[usize]>,
    secret: bool,
}

impl Source {
    /// Its lines may hold secrets, so they are not shown.
    pub fn is_secret(&self) -> bool {
        self.secret
    }
}

/// A range of bytes in one of the [`Sources`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub source: usize,
    pub start: usize,
    pub end: usize,
}

/// A line and column as editors count them, from 1, the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    pub line: usize,
    pub column: usize,
}

impl Sources {
    /// Adds a file and returns its place.
    pub fn add(&mut self, path: &Path, text: &str) -> usize {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        let lines = std::iter::once(0).chain(ends).collect();
        self.0.push(Source { path: path.to_owned(), text: text.into(), lines, secret: false });
        self.0.len() - 1
    }

    /// The lines of this file are not to be shown.
    pub fn hide(&mut self, source: usize) {
        self.0[source].secret = true;
    }

    /// The file at a place.
    pub fn get(&self, source: usize) -> &Source {
        &self.0[source]
    }

    /// The text that a span covers.
    pub fn slice(&self, span: Span) -> &str {
        self.0[span.source].text.get(span.start..span.end).unwrap_or("")
    }

    /// A line of a file, without the white space around it.
    pub fn find_line(&self, path: &Path, line: usize) -> Option<Span> {
        let source = self.0.iter().position(|source| source.path == path)?;
        let text = &self.0[source].text;
        let before = *self.0[source].lines.get(line.checked_sub(1)?)?;
        let content = text[before..].lines().next()?;
        let start = before + (content.len() - content.trim_start().len());
        Some(Span { source, start, end: before + content.trim_end().len() })
    }

    /// The first place of a text at or after the beginning of a span, or that span where there is none.
    pub fn find_after(&self, from: Span, needle: &str) -> Span {
        let text = &self.0[from.source].text;
        match text[from.start..].find(needle) {
            Some(at) => Span { start: from.start + at, end: from.start + at + needle.len(), ..from },
            None => from,
        }
    }

    /// The places of a text, whole and not as the start of a longer name, behind a line that begins with a key: in the first
    /// file that has any.
    pub fn find_behind(&self, key: &str, needle: &str) -> Vec<Span> {
        let all = self.0.iter().enumerate().find_map(|(source, file)| {
            let mut lines = file.lines.iter().filter_map(|&start| Some((start, file.text.get(start..)?)));
            let (from, _) = lines.find(|(_, rest)| rest.trim_start_matches(' ').starts_with(key))?;
            let ends = |at: usize| {
                let next = file.text[at + needle.len()..].chars().next();
                next.is_none_or(|next| !next.is_ascii_alphanumeric() && !"_:.#$%-/\\".contains(next))
            };
            let places = file.text[from..].match_indices(needle).map(|(at, _)| from + at);
            let spans = places.filter(|&at| ends(at)).map(|start| Span { source, start, end: start + needle.len() });
            Some(spans.collect::<Vec<_>>()).filter(|spans| !spans.is_empty())
        });
        all.unwrap_or_default()
    }

    /// What stands behind a place.
    pub fn behind(&self, span: Span) -> &str {
        self.0[span.source].text.get(span.end..).unwrap_or("")
    }

    /// Where a span begins.
    pub fn position(&self, span: Span) -> Position {
        let source = &self.0[span.source];
        let line = source.lines.partition_point(|&start| start <= span.start).max(1);
        let start = source.lines[line - 1];
        let before = source.text.get(start..span.start.min(source.text.len())).unwrap_or("");
        Position { line, column: before.chars().count() + 1 }
    }
}

impl Span {
    /// The part of this span where `needle` stands in the text, or the whole of it.
    pub fn narrowed(self, sources: &Sources, needle: &str) -> Self {
        match sources.slice(self).find(needle) {
            Some(at) => Self { start: self.start + at, end: self.start + at + needle.len(), ..self },
            None => self,
        }
    }
}

//! From the text of a program to tokens and comments.

use std::collections::BTreeMap;

use super::code::{Kind, Token};
use super::language::{Language, Quote};

/// Reads a program; there is nothing that cannot be read. Comments that have a line to themselves are by their line.
pub fn read<'a>(text: &'a str, language: &'static Language) -> (Vec<Token<'a>>, BTreeMap<usize, String>) {
    let mut lexer =
        Lexer { text, language, at: 0, line: 1, line_start: 0, tokens: Vec::new(), comments: BTreeMap::new() };
    lexer.run();
    (lexer.tokens, lexer.comments)
}

struct Lexer<'a> {
    text: &'a str,
    language: &'static Language,
    at: usize,
    line: usize,
    line_start: usize,
    tokens: Vec<Token<'a>>,
    comments: BTreeMap<usize, String>,
}

impl<'a> Lexer<'a> {
    fn run(&mut self) {
        // Heredocs begin on the line after the one that names them.
        let mut heredocs: Vec<(usize, &'a str)> = Vec::new();
        while let Some(c) = self.text[self.at..].chars().next() {
            if c == '\n' {
                self.skip(1);
                for (token, end) in std::mem::take(&mut heredocs) {
                    self.heredoc(token, end);
                }
                continue;
            }
            if c.is_whitespace() {
                self.at += c.len_utf8();
                continue;
            }
            if self.comment() || self.string() || self.regex(c) {
                continue;
            }
            if let Some(end) = self.heredoc_name() {
                heredocs.push((self.tokens.len() - 1, end));
                continue;
            }
            if self.is_word(c) { self.word() } else { self.mark(c) }
        }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Goes on over bytes that may have line ends.
    fn skip(&mut self, length: usize) {
        let end = self.at + length;
        for at in memchr::memchr_iter(b'\n', &self.text.as_bytes()[self.at..end]) {
            self.line += 1;
            self.line_start = self.at + at + 1;
        }
        self.at = end;
    }

    /// Adds the token that began at `start`, on the line that is the current one.
    fn push(&mut self, kind: Kind<'a>, start: usize) {
        let first = self.text[self.line_start..start].trim_start().is_empty();
        self.tokens.push(Token { kind, line: self.line, column: start - self.line_start, first });
    }

    fn is_word(&self, c: char) -> bool {
        c.is_alphanumeric() || c == '_' || self.language.word.contains(c)
    }

    fn word(&mut self) {
        let rest = self.rest();
        let end = rest.find(|c| !self.is_word(c)).unwrap_or(rest.len());
        let start = self.at;
        self.at += end;
        self.push(Kind::Word(&rest[..end]), start);
    }

    fn mark(&mut self, c: char) {
        let start = self.at;
        self.at += c.len_utf8();
        self.push(Kind::Mark(c), start);
    }

    fn comment(&mut self) -> bool {
        self.block_comment() || self.line_comment()
    }

    fn line_comment(&mut self) -> bool {
        let rest = self.rest();
        if !self.language.line_comments.iter().any(|start| rest.starts_with(start)) {
            return false;
        }
        let end = rest.find('\n').unwrap_or(rest.len());
        self.keep_comment(&rest[..end], self.line);
        self.at += end;
        true
    }

    fn block_comment(&mut self) -> bool {
        let rest = self.rest();
        let begins = |open: &str| rest.starts_with(open) && (!open.starts_with('=') || self.at == self.line_start);
        let Some((open, close)) = self.language.block_comments.iter().find(|(open, _)| begins(open)) else {
            return false;
        };
        let end = rest[open.len()..].find(close).map_or(rest.len(), |at| open.len() + at + close.len());
        let inner = rest.get(open.len()..end.saturating_sub(close.len())).unwrap_or("");
        // Each line counts as a comment of its own, so that a block is found above what it tells of.
        if self.text[self.line_start.min(self.at)..self.at].trim().is_empty() {
            for (offset, line) in inner.split('\n').enumerate() {
                self.keep_text(line.trim().trim_start_matches('*').trim(), self.line + offset);
            }
        }
        self.skip(end);
        true
    }

    fn keep_comment(&mut self, comment: &str, line: usize) {
        if self.text[self.line_start..self.at].trim().is_empty() {
            self.keep_text(comment.trim_start_matches(['/', '#', '-', '!', ';']).trim(), line);
        }
    }

    fn keep_text(&mut self, text: &str, line: usize) {
        self.comments.insert(line, text.to_owned());
    }

    fn string(&mut self) -> bool {
        let rest = self.rest();
        let (skipped, prefix) = self.python_prefix();
        let Some(quote) = self.language.quotes.iter().find(|quote| rest[skipped..].starts_with(quote.open)) else {
            return false;
        };
        let open = skipped + quote.open.len();
        let escapes = quote.escapes && !prefix.contains(['r', 'R']);
        let (inner, end) = self.string_end(quote, open, escapes);
        let computed = (!quote.computed.is_empty() && has_computed(inner, quote)) || prefix.contains(['f', 'F']);
        let text = if escapes { unescape(inner) } else { inner.to_owned() };
        self.push(Kind::Text(text, computed), self.at);
        self.skip(end);
        true
    }

    /// Letters before a text in Python: `f"…"`.
    fn python_prefix(&self) -> (usize, &'a str) {
        let rest = self.rest();
        let length = rest.bytes().take(2).take_while(|byte| b"rRbBfFuU".contains(byte)).count();
        let is_python = self.language.quotes.iter().any(|quote| quote.open == "'''") && self.language.word.is_empty();
        let is_prefix = is_python && rest.as_bytes().get(length).is_some_and(|byte| b"'\"".contains(byte));
        if is_prefix { (length, &rest[..length]) } else { (0, "") }
    }

    fn string_end(&self, quote: &Quote, open: usize, escapes: bool) -> (&'a str, usize) {
        let rest = self.rest();
        let bytes = rest.as_bytes();
        let mut at = open;
        while at < rest.len() {
            if escapes && bytes[at] == b'\\' {
                at += 2;
            } else if rest.as_bytes()[at..].starts_with(quote.close.as_bytes()) {
                return (&rest[open..at], at + quote.close.len());
            } else if bytes[at] == b'\n' && !quote.multiline {
                return (&rest[open..at], at);
            } else {
                at += 1;
            }
        }
        (&rest[open..], rest.len())
    }

    /// A regular expression can have quotes in it, which are none.
    fn regex(&mut self, c: char) -> bool {
        if c != '/' || !self.language.regexes || !self.may_begin_value() {
            return false;
        }
        let rest = self.rest();
        let mut in_class = false;
        let mut escaped = false;
        for (at, c) in rest.char_indices().skip(1) {
            match c {
                '\n' => return false,
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '[' => in_class = true,
                ']' => in_class = false,
                '/' if !in_class => {
                    let start = self.at;
                    self.at += at + 1;
                    self.push(Kind::Text(String::new(), true), start);
                    return true;
                }
                _ => {}
            }
        }
        false
    }

    fn may_begin_value(&self) -> bool {
        match self.tokens.last().map(|token| &token.kind) {
            None => true,
            Some(Kind::Mark(mark)) => !")]}".contains(*mark),
            Some(Kind::Word(word)) => ["return", "typeof", "if", "when", "unless", "and", "or", "in"].contains(word),
            Some(Kind::Text(..)) => false,
        }
    }

    /// `<<~END`: its text begins with the next line.
    fn heredoc_name(&mut self) -> Option<&'a str> {
        if !self.language.heredocs {
            return None;
        }
        let rest = self.rest().strip_prefix("<<")?;
        let name = rest.trim_start_matches(['~', '-']).trim_start_matches(['\'', '"']);
        let length = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(name.len());
        let name = &name[..length];
        if !name.starts_with(|c: char| c.is_ascii_uppercase()) {
            return None;
        }
        let start = self.at;
        let quotes = rest[rest.find(name)? + length..].starts_with(['\'', '"']);
        self.at += 2 + rest.find(name)? + length + usize::from(quotes);
        self.push(Kind::Text(String::new(), true), start);
        Some(name)
    }

    /// Takes the lines up to `end` as the text of a token.
    fn heredoc(&mut self, token: usize, end: &str) {
        let rest = self.rest();
        let mut length = 0;
        let mut text = 0;
        for line in rest.split_inclusive('\n') {
            text = length;
            length += line.len();
            if line.trim() == end {
                break;
            }
        }
        if let Some(token) = self.tokens.get_mut(token) {
            token.kind = Kind::Text(rest[..text].to_owned(), rest[..text].contains("#{"));
        }
        self.skip(length);
    }
}

/// `$name` and `${`, `#{`; a `$` alone is none.
fn has_computed(text: &str, quote: &Quote) -> bool {
    match quote.computed {
        "$" => text
            .match_indices('$')
            .any(|(at, _)| text[at + 1..].starts_with(|c: char| c == '{' || c == '(' || c == '_' || c.is_alphabetic())),
        mark => text.contains(mark),
    }
}

fn unescape(text: &str) -> String {
    if !text.contains('\\') {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some('\n') | None => {}
                Some(other) => out.push(other),
            },
            c => out.push(c),
        }
    }
    out
}

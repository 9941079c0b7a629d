//! Programs as tokens. Nothing is understood beyond comments, texts and brackets, which is enough to find calls and
//! definitions whose names are literal, and to count those whose names are not.

use std::collections::BTreeMap;

use super::language::{Language, Quote};

/// A program.
#[derive(Debug)]
pub struct Code<'a> {
    pub tokens: Vec<Token<'a>>,
    /// Comments that have a line to themselves, by their line.
    comments: BTreeMap<usize, String>,
}

/// One token, with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token<'a> {
    pub kind: Kind<'a>,
    pub line: usize,
    /// From 0, in bytes.
    pub column: usize,
    /// Nothing but white space stands before it on its line.
    pub first: bool,
}

/// What a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind<'a> {
    Word(&'a str),
    /// A text, and whether parts of it are computed.
    Text(String, bool),
    Mark(char),
}

/// An argument of a call: its name where it is given by name, and the places of its tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Given<'a> {
    pub name: Option<&'a str>,
    pub start: usize,
    pub end: usize,
}

impl<'a> Code<'a> {
    /// Reads a program; there is nothing that cannot be read.
    pub fn of(text: &'a str, language: &'static Language) -> Self {
        let mut lexer =
            Lexer { text, language, at: 0, line: 1, line_start: 0, tokens: Vec::new(), comments: BTreeMap::new() };
        lexer.run();
        Self { tokens: lexer.tokens, comments: lexer.comments }
    }

    /// The word at a place.
    pub fn word(&self, at: usize) -> Option<&'a str> {
        match &self.tokens.get(at)?.kind {
            Kind::Word(word) => Some(word),
            _ => None,
        }
    }

    /// The literal text at a place.
    pub fn text(&self, at: usize) -> Option<&str> {
        match &self.tokens.get(at)?.kind {
            Kind::Text(text, false) => Some(text),
            _ => None,
        }
    }

    /// Whether there is a text with computed parts at a place.
    pub fn is_computed(&self, at: usize) -> bool {
        matches!(self.tokens.get(at), Some(Token { kind: Kind::Text(_, true), .. }))
    }

    pub fn is_mark(&self, at: usize, mark: char) -> bool {
        matches!(self.tokens.get(at), Some(Token { kind: Kind::Mark(it), .. }) if *it == mark)
    }

    /// Whether the tokens from a place on are these words and marks, written with spaces between: `gulp . task (`.
    pub fn matches(&self, at: usize, pattern: &str) -> bool {
        pattern.split(' ').enumerate().all(|(offset, wanted)| match self.tokens.get(at + offset).map(|it| &it.kind) {
            Some(Kind::Word(word)) => *word == wanted,
            Some(Kind::Mark(mark)) => wanted.chars().eq([*mark]),
            _ => false,
        })
    }

    /// The line of a token; the last line's at the end.
    pub fn line(&self, at: usize) -> usize {
        self.tokens.get(at).or(self.tokens.last()).map_or(1, |token| token.line)
    }

    /// Whether a token is the first on its line, or there is none.
    pub fn is_first(&self, at: usize) -> bool {
        self.tokens.get(at).is_none_or(|token| token.first)
    }

    /// The place of the bracket that closes the one at `at`; the end where there is none.
    pub fn closing(&self, at: usize) -> usize {
        let mut depth = 0usize;
        for (place, token) in self.tokens.iter().enumerate().skip(at) {
            match token.kind {
                Kind::Mark('(' | '[' | '{') => depth += 1,
                Kind::Mark(')' | ']' | '}') => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 {
                return place;
            }
        }
        self.tokens.len()
    }

    /// The arguments between the bracket at `at` and its end. Names end in `=` or `:`.
    pub fn arguments(&self, at: usize) -> Vec<Given<'a>> {
        let end = self.closing(at);
        let mut out = Vec::new();
        let mut start = at + 1;
        while start < end {
            let mut next = start;
            while next < end && !self.is_mark(next, ',') {
                next = self.closing(next) + 1;
            }
            let next = next.min(end);
            if next > start {
                out.push(self.given(start, next));
            }
            start = next + 1;
        }
        out
    }

    fn given(&self, start: usize, end: usize) -> Given<'a> {
        let is_named = (self.is_mark(start + 1, '=') && !self.is_mark(start + 2, '=')) || self.is_mark(start + 1, ':');
        match self.word(start).filter(|_| is_named && end > start + 1) {
            Some(name) => Given { name: Some(name), start: start + 2, end },
            None => Given { name: None, start, end },
        }
    }

    /// The literal texts between two places, also within brackets.
    pub fn texts(&self, start: usize, end: usize) -> Vec<String> {
        (start..end).filter_map(|at| self.text(at)).map(str::to_owned).collect()
    }

    /// The only token of an argument, as a literal text.
    pub fn literal(&self, given: Given<'_>) -> Option<&str> {
        self.text(given.start).filter(|_| given.end == given.start + 1)
    }

    /// An argument by its name.
    pub fn named<'g>(given: &'g [Given<'a>], name: &str) -> Option<&'g Given<'a>> {
        given.iter().find(|it| it.name == Some(name))
    }

    /// The comment that stands right above a line, without its marks.
    pub fn comment_above(&self, line: usize) -> Option<String> {
        let mut lines: Vec<&str> = Vec::new();
        let mut at = line.checked_sub(1)?;
        while let Some(comment) = self.comments.get(&at) {
            lines.push(comment);
            let Some(above) = at.checked_sub(1) else { break };
            at = above;
        }
        lines.reverse();
        let text = lines.join(" ").trim().to_owned();
        (!text.is_empty()).then_some(text)
    }

    /// All comments that have a line to themselves.
    pub fn comments(&self) -> impl Iterator<Item = (usize, &str)> {
        self.comments.iter().map(|(line, text)| (*line, &**text))
    }
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
        let mut heredocs: Vec<&'a str> = Vec::new();
        while let Some(c) = self.text[self.at..].chars().next() {
            if c == '\n' && self.block_comment() {
                continue;
            }
            if c == '\n' {
                self.skip(1);
                for end in std::mem::take(&mut heredocs) {
                    self.heredoc(end);
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
                heredocs.push(end);
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
        let Some((open, close)) = self.language.block_comments.iter().find(|(open, _)| rest.starts_with(open)) else {
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

    fn heredoc(&mut self, end: &str) {
        let mut length = 0;
        for line in self.rest().split_inclusive('\n') {
            length += line.len();
            if line.trim() == end {
                break;
            }
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

#[cfg(test)]
mod tests {
    use super::super::language::{JAVASCRIPT, PYTHON, RUBY};
    use super::*;

    #[test]
    fn calls_and_their_arguments() {
        let code =
            Code::of("// doc\n// more\ngrunt.registerTask('a', \"it's\", ['b', `c${d}`], f(1, 2));", &JAVASCRIPT);
        assert!(code.matches(0, "grunt . registerTask ("));
        let given = code.arguments(3);
        assert_eq!(given.len(), 4);
        assert_eq!((code.literal(given[0]), code.literal(given[1])), (Some("a"), Some("it's")));
        assert_eq!(code.texts(given[2].start, given[2].end), ["b"]);
        assert_eq!(code.comment_above(code.line(0)).as_deref(), Some("doc more"));
    }

    #[test]
    fn python_keywords_prefixes_and_docstrings() {
        let text = "@task(name='x', pre=[a, b], help={'k': 'v'})\ndef f(c, n=f\"{x}\", r=r'\\d'):\n    '''Doc\n    more'''\n# it's\n";
        let code = Code::of(text, &PYTHON);
        let given = code.arguments(2);
        let names: Vec<_> = given.iter().map(|it| it.name.unwrap()).collect();
        assert_eq!(names, ["name", "pre", "help"]);
        let texts: Vec<_> = code.tokens.iter().filter(|it| matches!(it.kind, Kind::Text(..))).collect();
        assert_eq!(texts[3].kind, Kind::Text("{x}".into(), true));
        assert_eq!(texts[4].kind, Kind::Text("\\d".into(), false));
        assert_eq!((texts[5].line, &texts[5].kind), (3, &Kind::Text("Doc\n    more".into(), false)));
    }

    #[test]
    fn what_only_looks_like_a_text() {
        let code = Code::of("a = /it's/; b = c / d; 'x'", &JAVASCRIPT);
        assert_eq!(code.texts(0, code.tokens.len()), ["x"]);
        let code = Code::of("puts <<~END, 'y'\n don't\nEND\n=begin\n\"\n=end\ntask 'x'", &RUBY);
        assert_eq!(code.texts(0, code.tokens.len()), ["y", "x"]);
        assert_eq!(code.line(code.tokens.len()), 7);
    }
}

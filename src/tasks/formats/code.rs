//! Programs as tokens. Nothing is understood beyond comments, texts and brackets, which is enough to find calls and
//! definitions whose names are literal, and to count those whose names are not.

use std::collections::BTreeMap;

use super::language::Language;
use super::lexer;

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
        let (tokens, comments) = lexer::read(text, language);
        Self { tokens, comments }
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
        assert_eq!(code.texts(0, code.tokens.len()), [" don't\n", "y", "x"]);
        assert_eq!(code.line(code.tokens.len()), 7);
    }
}

//! `.env` and `env_file`, by Compose's rules: quotes, `export`, comments, several lines in quotes, `${VAR}` from the
//! lines above and the surroundings.

use super::interpolate::{Lookup, fill};
use super::problem::{Problem, Problems};
use super::source::Span;

/// One file's variables in order. A variable without `=` has `None`: the shell's value, if it has one.
pub type Variables = Vec<(String, Option<String>)>;

/// Reads the source at a place.
pub fn parse(source: usize, lookup: &dyn Lookup, problems: &mut Problems) -> Variables {
    let text = problems.sources.get(source).text.clone();
    let mut parser = Parser { source, text: &text, at: 0, outer: lookup, variables: Vec::new(), problems };
    parser.run();
    parser.variables
}

struct Parser<'a> {
    source: usize,
    text: &'a str,
    at: usize,
    outer: &'a dyn Lookup,
    variables: Variables,
    problems: &'a mut Problems,
}

/// What a value may refer to: the surroundings first, then the lines above.
struct Above<'a> {
    outer: &'a dyn Lookup,
    variables: &'a Variables,
}

impl Lookup for Above<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        let above = || self.variables.iter().rev().find(|(key, _)| key == name).and_then(|(_, value)| value.as_deref());
        self.outer.get(name).or_else(above)
    }
}

impl Parser<'_> {
    fn run(&mut self) {
        while self.at < self.text.len() {
            let line_end = self.line_end(self.at);
            let line = &self.text[self.at..line_end];
            let trimmed = line.trim();
            if trimmed.is_empty() || trimmed.starts_with('#') {
                self.at = line_end + 1;
                continue;
            }
            self.entry(line_end);
        }
    }

    fn line_end(&self, from: usize) -> usize {
        memchr::memchr(b'\n', &self.text.as_bytes()[from..]).map_or(self.text.len(), |at| from + at)
    }

    fn entry(&mut self, line_end: usize) {
        let line = &self.text[self.at..line_end];
        let (head, has_value) = match line.find('=') {
            Some(at) => (&line[..at], true),
            None => (line.split(" #").next().unwrap_or(line), false),
        };
        let key = head.trim();
        let key = key.strip_prefix("export ").map_or(key, str::trim).to_owned();
        let start = self.at;
        if !is_key(&key) {
            let at = Span { source: self.source, start, end: line_end };
            // A line without `=` may be the rest of a secret.
            let shown: String = if has_value { key.chars().take(40).collect() } else { "…".to_owned() };
            let problem = Problem::error("bad_env_file", format!("`{shown}` is no variable"));
            self.problems.push(problem.at(at).hint("write `KEY=value`; comments start with `#`"));
            self.at = line_end + 1;
            return;
        }
        if !has_value {
            self.variables.push((key, None));
            self.at = line_end + 1;
            return;
        }
        let value = self.value(start + head.len() + 1, line_end);
        self.variables.push((key, Some(value)));
    }

    /// Reads the value from `from` and moves past its last line.
    fn value(&mut self, from: usize, line_end: usize) -> String {
        let line = &self.text[from..line_end];
        let lead = line.len() - line.trim_start().len();
        let quote = line.trim_start().chars().next().filter(|c| matches!(c, '"' | '\''));
        let Some(quote) = quote else {
            self.at = line_end + 1;
            let value = line.split(" #").next().unwrap_or("").trim();
            let value = if line.trim_start().starts_with('#') { "" } else { value };
            return self.filled(value, from, line_end);
        };
        let inner = from + lead + 1;
        let Some(end) = closing_quote(&self.text[inner..], quote) else {
            // Up to the quote: what follows may be a secret.
            let at = Span { source: self.source, start: inner - 1, end: inner };
            self.problems.push(Problem::error("bad_env_file", format!("the {quote} is never closed")).at(at));
            self.at = self.text.len();
            return String::new();
        };
        let value = &self.text[inner..inner + end];
        self.at = self.line_end(inner + end) + 1;
        match quote {
            '\'' => value.to_owned(),
            _ => self.filled(&unescape(value), inner, inner + end),
        }
    }

    fn filled(&mut self, value: &str, start: usize, end: usize) -> String {
        if !value.contains('$') {
            return value.to_owned();
        }
        let span = Span { source: self.source, start, end };
        let above = Above { outer: self.outer, variables: &self.variables };
        let filled = fill(value, span, &above, self.problems);
        match filled.as_text() {
            Some(text) => text.to_owned(),
            None => {
                let problem =
                    Problem::error("no_reference_here", "an address of a service cannot stand in an env file");
                self.problems.push(problem.at(span).hint("put it under `environment` in the manifest"));
                String::new()
            }
        }
    }
}

fn is_key(key: &str) -> bool {
    !key.is_empty()
        && !key.starts_with(|c: char| c.is_ascii_digit())
        && key.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '-'))
}

/// The offset of the quote that closes the value.
fn closing_quote(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quote == '"' => escaped = true,
            _ if c == quote => return Some(at),
            _ => {}
        }
    }
    None
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('$') => out.push_str("$$"),
            Some(other @ ('"' | '\\')) => out.push(other),
            Some(other) => out.extend(['\\', other]),
            None => out.push('\\'),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn run(text: &str) -> (Vec<(String, Option<String>)>, Vec<String>) {
        let mut problems = Problems::default();
        let source = problems.sources.add(Path::new(".env"), text);
        let lookup = vec![("OUTER", "o")];
        let variables = parse(source, &lookup, &mut problems);
        (variables, problems.list.into_iter().map(|problem| problem.message).collect())
    }

    #[test]
    fn reads_composes_forms() {
        let cases = [
            ("A=1", "1"),
            ("A = 1 ", "1"),
            ("export A=1", "1"),
            ("A=1 # comment", "1"),
            ("A=1#no", "1#no"),
            ("A=#all", ""),
            ("A='$x # y'", "$x # y"),
            ("A=\"a\\nb\"", "a\nb"),
            ("A=\"two\nlines\" # c", "two\nlines"),
            ("A=\"q\\\"q\"", "q\"q"),
            ("A=${OUTER}/x", "o/x"),
            ("A=\"${B:-b}\"", "b"),
            ("A=", ""),
            ("# c\n\nA=1\r\n", "1"),
            ("A=\"\\$x\"", "$x"),
        ];
        for (text, value) in cases {
            assert_eq!(run(text), (vec![("A".into(), Some(value.into()))], Vec::new()), "{text}");
        }
    }

    #[test]
    fn uses_the_lines_above_and_the_shell() {
        let (variables, _) = run("A=1\nB=${A}2\nC");
        assert_eq!(variables[1].1.as_deref(), Some("12"));
        assert_eq!(variables[2], ("C".into(), None));
    }

    #[test]
    fn reports_every_bad_line() {
        assert_eq!(run("1A=x\n=y\nB=\"z").1, ["`1A` is no variable", "`` is no variable", "the \" is never closed"]);
    }
}

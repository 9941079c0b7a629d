//! `${VAR}` and its kin in every scalar of a document (Compose spec, "Interpolation").
//!
//! `${A}`, `${A:-default}`, `${A-default}`, `${A:?message}`, `${A?message}`, `${A:+other}`, `${A+other}`, `$$`; defaults
//! may nest. `$A` without braces stays as it is, for the shell. A name with a dot is an address of a service and
//! becomes a piece of the template.

use crate::model::{Form, Piece, Reference, ServiceName, Template};

use super::node::{Node, Scalar, Value};
use super::problem::{Problem, Problems, did_you_mean};
use super::source::Span;

/// Where the values of variables come from.
pub trait Lookup {
    /// The value of a variable, if it is set.
    fn get(&self, name: &str) -> Option<&str>;
}

/// Fills in every scalar of a document.
pub fn interpolate(node: &mut Node, lookup: &dyn Lookup, problems: &mut Problems) {
    let span = node.span;
    match &mut node.value {
        Value::Null => {}
        Value::Scalar(scalar) => fill_scalar(scalar, span, lookup, problems),
        Value::Seq(items) => items.iter_mut().for_each(|item| interpolate(item, lookup, problems)),
        Value::Map(entries) => entries.iter_mut().for_each(|(_, value)| interpolate(value, lookup, problems)),
    }
}

/// Fills in one text that stands outside a document: a line of an env file.
pub fn fill(text: &str, span: Span, lookup: &dyn Lookup, problems: &mut Problems) -> Template {
    let mut filler = Filler { lookup, problems, span, pieces: Vec::new(), text: String::new() };
    filler.run(text, 0);
    filler.finish()
}

fn fill_scalar(scalar: &mut Scalar, span: Span, lookup: &dyn Lookup, problems: &mut Problems) {
    if let Some(text) = scalar.text.as_text()
        && text.contains('$')
    {
        scalar.text = fill(text, span, lookup, problems);
    }
}

/// Defaults within defaults go no deeper than anyone would write.
const DEEPEST: usize = 16;

struct Filler<'a> {
    lookup: &'a dyn Lookup,
    problems: &'a mut Problems,
    span: Span,
    pieces: Vec<Piece>,
    text: String,
}

impl Filler<'_> {
    fn finish(mut self) -> Template {
        self.flush();
        Template(self.pieces)
    }

    fn flush(&mut self) {
        if !self.text.is_empty() {
            self.pieces.push(Piece::Text(std::mem::take(&mut self.text)));
        }
    }

    fn run(&mut self, mut rest: &str, depth: usize) {
        while let Some(at) = rest.find('$') {
            self.text.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix('$') {
                self.text.push('$');
                rest = after;
            } else if let Some(after) = rest.strip_prefix('{') {
                let Some(end) = closing_brace(after) else {
                    self.report(
                        "${",
                        Problem::error("bad_variable", "`${` without its `}`").hint("write `$$` for a dollar sign"),
                    );
                    self.text.push_str(rest);
                    return;
                };
                self.expression(&after[..end], depth);
                rest = &after[end + 1..];
            } else {
                self.text.push('$');
            }
        }
        self.text.push_str(rest);
    }

    fn expression(&mut self, inner: &str, depth: usize) {
        if is_address(inner) {
            return self.address(inner);
        }
        let end = inner.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(inner.len());
        let (name, operator) = inner.split_at(end);
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            return self.malformed(inner);
        }
        if depth >= DEEPEST {
            let problem = Problem::error("bad_variable", format!("`${{{inner}}}` nests too deeply"));
            return self.report(inner, problem);
        }
        self.apply(name, operator, inner, depth);
    }

    fn apply(&mut self, name: &str, operator: &str, inner: &str, depth: usize) {
        let value = self.lookup.get(name).map(str::to_owned);
        // The colon forms treat an empty value as none.
        let (form, word) = match operator.strip_prefix(':') {
            Some(rest) => (rest.chars().next(), rest.get(1..)),
            None => (operator.chars().next(), operator.get(1..)),
        };
        let value = value.filter(|value| !(operator.starts_with(':') && value.is_empty()));
        match (form, word, value) {
            (Some('-'), _, Some(value)) | (Some('?'), _, Some(value)) => self.text.push_str(&value),
            (Some('-'), Some(word), None) | (Some('+'), Some(word), Some(_)) => self.run(word, depth + 1),
            (Some('+'), _, None) => {}
            (Some('?'), Some(word), None) => {
                let reason = if word.is_empty() { "it is required here" } else { word };
                let problem = Problem::error("missing_variable", format!("`{name}` is not set: {reason}"));
                self.report(
                    inner,
                    problem.hint(format!("set it in the shell, or in `.env` beside the manifest: `{name}=…`")),
                );
            }
            (None, _, Some(value)) if operator.is_empty() => self.text.push_str(&value),
            (None, _, None) if operator.is_empty() => self.unset(name),
            _ => self.malformed(inner),
        }
    }

    /// As with Compose: nothing takes its place, and the user is told.
    fn unset(&mut self, name: &str) {
        let hint = match name {
            "PORT" => "the program's own port is known to the shell only: write `$PORT` or `$${PORT}`".to_owned(),
            _ => format!("set it, write `${{{name}:-default}}`, or `$${{{name}}}` for the shell to fill in"),
        };
        let problem = Problem::warning("unset_variable", format!("`{name}` is not set; nothing takes its place"));
        self.report(&format!("${{{name}}}"), problem.hint(hint));
    }

    fn malformed(&mut self, inner: &str) {
        let problem = Problem::error("bad_variable", format!("`${{{inner}}}` cannot be understood"));
        self.report(
            inner,
            problem
                .hint("forms: ${A}, ${A:-default}, ${A:?message}, ${A:+other}, ${SERVICE.url}; `$$` is a dollar sign"),
        );
    }

    /// `users.url`, `users.grpc.port`.
    fn address(&mut self, inner: &str) {
        let words: Vec<&str> = inner.split('.').collect();
        let (service, port, form) = match words.as_slice() {
            [service, form] => (*service, None, *form),
            [service, port, form] => (*service, Some((*port).to_owned()), *form),
            _ => return self.malformed(inner),
        };
        let Ok(service) = ServiceName::new(service) else { return self.malformed(inner) };
        let Some(form) = Form::from_word(form) else {
            let forms = Form::ALL.map(|(word, _)| word);
            let hint = did_you_mean(form, forms).unwrap_or_else(|| format!("one of {}", forms.join(", ")));
            let problem = Problem::error("bad_reference", format!("`{form}` is no form of an address"));
            return self.report(inner, problem.hint(hint));
        };
        self.flush();
        self.pieces.push(Piece::Address(Reference { service, port, form }));
    }

    fn report(&mut self, needle: &str, problem: Problem) {
        let span = self.span.narrowed(&self.problems.sources, needle);
        self.problems.push(problem.at(span));
    }
}

/// `users.url`, and not `A-1.5`: services have lower-case names, so that a variable's default is no address.
fn is_address(inner: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    inner.chars().all(allowed) && inner.split_once('.').is_some_and(|(first, _)| ServiceName::new(first).is_ok())
}

/// Where the `}` stands that closes what was opened before `text`.
fn closing_brace(text: &str) -> Option<usize> {
    let mut depth = 0;
    let mut previous = '\0';
    for (at, c) in text.char_indices() {
        match c {
            '{' if previous == '$' => depth += 1,
            '}' if depth == 0 => return Some(at),
            '}' => depth -= 1,
            _ => {}
        }
        previous = c;
    }
    None
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    impl Lookup for Vec<(&str, &str)> {
        fn get(&self, name: &str) -> Option<&str> {
            self.iter().find_map(|(key, value)| (*key == name).then_some(*value))
        }
    }

    fn run(text: &str) -> (String, Vec<String>) {
        let mut problems = Problems::default();
        let source = problems.sources.add(Path::new("x"), text);
        let span = Span { source, start: 0, end: text.len() };
        let lookup = vec![("A", "a"), ("EMPTY", "")];
        let filled = fill(text, span, &lookup, &mut problems).written();
        (filled, problems.list.into_iter().map(|problem| problem.message).collect())
    }

    #[test]
    fn fills_every_form() {
        let cases = [
            ("${A}", "a"),
            ("x${A}y", "xay"),
            ("$$A $A $", "$A $A $"),
            ("${B:-b}", "b"),
            ("${EMPTY:-b}", "b"),
            ("${EMPTY-b}", ""),
            ("${A:+yes}", "yes"),
            ("${B:+yes}", ""),
            ("${B:-${C:-c}}", "c"),
            ("${B:-{x}}", "{x}"),
            ("${A:?needed}", "a"),
            ("${B-1.5}", "1.5"),
            ("$${A}", "${A}"),
            ("${users.url}/x", "${users.url}/x"),
            ("${users.grpc.addr}", "${users.grpc.addr}"),
        ];
        for (text, filled) in cases {
            let (result, problems) = run(text);
            assert_eq!((result.as_str(), problems), (filled, Vec::new()), "{text}");
        }
    }

    #[test]
    fn reports_what_cannot_be_filled() {
        let cases = [
            ("${B}", "`B` is not set; nothing takes its place"),
            ("${B:?set me}", "`B` is not set: set me"),
            ("${B", "`${` without its `}`"),
            ("${}", "`${}` cannot be understood"),
            ("${1A}", "`${1A}` cannot be understood"),
            ("${users.urk}", "`urk` is no form of an address"),
            ("${A!x}", "`${A!x}` cannot be understood"),
        ];
        for (text, message) in cases {
            assert_eq!(run(text).1, [message], "{text}");
        }
    }

    #[test]
    fn stops_at_bottomless_nesting() {
        let text = format!("{}x{}", "${B:-".repeat(5000), "}".repeat(5000));
        assert_eq!(run(&text).1.len(), 1);
    }
}

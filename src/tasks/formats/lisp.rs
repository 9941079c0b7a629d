//! Clojure's data as its build tools are configured with: forms with the lines they begin on.

use super::Lines;
use crate::tasks::Unreadable;

/// One form.
#[derive(Debug, Clone, PartialEq)]
pub struct Form {
    pub shape: Shape,
    pub line: usize,
}

/// What a form is.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// A symbol, a keyword with its colon, a number.
    Atom(String),
    Text(String),
    /// `(…)`, `[…]` or `#{…}`.
    List(Vec<Form>),
    /// `{…}`: keys and values in turn.
    Map(Vec<Form>),
}

/// Deeper nesting would exhaust the stack.
const DEEPEST: usize = 200;

impl Form {
    /// The value of a keyword in a map.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.pairs().find(|(it, _)| it.atom() == Some(key)).map(|(_, value)| value)
    }

    /// The entries of a map.
    pub fn pairs(&self) -> impl Iterator<Item = (&Self, &Self)> {
        let forms: &[Self] = match &self.shape {
            Shape::Map(forms) => forms,
            _ => &[],
        };
        forms.chunks_exact(2).map(|pair| (&pair[0], &pair[1]))
    }

    /// The items of a list.
    pub fn items(&self) -> &[Self] {
        match &self.shape {
            Shape::List(forms) => forms,
            _ => &[],
        }
    }

    pub fn atom(&self) -> Option<&str> {
        match &self.shape {
            Shape::Atom(atom) => Some(atom),
            _ => None,
        }
    }

    pub fn text(&self) -> Option<&str> {
        match &self.shape {
            Shape::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// All forms of a file.
pub fn parse(text: &str) -> Result<Vec<Form>, Unreadable> {
    let mut reader = Reader { text, lines: Lines::of(text), at: 0, depth: 0 };
    let mut forms = Vec::new();
    while let Some(form) = reader.form()? {
        forms.push(form);
    }
    match reader.peek() {
        None => Ok(forms),
        Some(_) => Err(reader.wrong("there is nothing that this bracket closes")),
    }
}

struct Reader<'a> {
    text: &'a str,
    lines: Lines<'a>,
    at: usize,
    depth: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn wrong(&self, reason: &str) -> Unreadable {
        Unreadable::at(format!("not valid Clojure: {reason}"), self.lines.position(self.at))
    }

    fn space(&mut self) {
        while let Some(c) = self.peek() {
            match c {
                ';' => self.at += self.text[self.at..].find('\n').unwrap_or(self.text.len() - self.at),
                ',' => self.at += 1,
                c if c.is_whitespace() => self.at += c.len_utf8(),
                _ => break,
            }
        }
    }

    /// The next form; none at the end or before a closing bracket.
    fn form(&mut self) -> Result<Option<Form>, Unreadable> {
        self.space();
        let line = self.lines.line(self.at);
        let Some(c) = self.peek() else { return Ok(None) };
        let shape = match c {
            ')' | ']' | '}' => return Ok(None),
            '(' => self.nested(')', Shape::List)?,
            '[' => self.nested(']', Shape::List)?,
            '{' => self.nested('}', Shape::Map)?,
            '"' => Shape::Text(self.string()?),
            '\'' | '`' | '~' | '@' | '^' => {
                self.at += 1;
                // Metadata stands before its form.
                if c == '^' {
                    self.form()?;
                }
                return self.form();
            }
            '#' => return self.dispatch(),
            '\\' => {
                self.at += 1;
                let length = self.peek().map_or(0, char::len_utf8);
                self.at += length;
                Shape::Atom(self.word())
            }
            _ => Shape::Atom(self.word()),
        };
        Ok(Some(Form { shape, line }))
    }

    fn dispatch(&mut self) -> Result<Option<Form>, Unreadable> {
        self.at += 1;
        match self.peek() {
            // `#_` comments its form out.
            Some('_') => {
                self.at += 1;
                self.form()?;
                self.form()
            }
            Some('{' | '(' | '"' | '\'' | '?' | '^') => {
                if matches!(self.peek(), Some('\'' | '?')) {
                    self.at += 1;
                }
                self.form()
            }
            _ => {
                self.word();
                self.form()
            }
        }
    }

    fn nested(&mut self, end: char, shape: fn(Vec<Form>) -> Shape) -> Result<Shape, Unreadable> {
        let start = self.at;
        self.at += 1;
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.wrong("it is nested too deeply"));
        }
        let mut forms = Vec::new();
        while let Some(form) = self.form()? {
            forms.push(form);
        }
        self.depth -= 1;
        if self.peek() != Some(end) {
            self.at = start;
            return Err(self.wrong(&format!("this bracket has no `{end}`")));
        }
        self.at += 1;
        Ok(shape(forms))
    }

    fn string(&mut self) -> Result<String, Unreadable> {
        let start = self.at;
        let mut escaped = false;
        let mut out = String::new();
        for (at, c) in self.text[start + 1..].char_indices() {
            match c {
                _ if escaped => {
                    out.push(if c == 'n' { '\n' } else { c });
                    escaped = false;
                }
                '\\' => escaped = true,
                '"' => {
                    self.at = start + 1 + at + 1;
                    return Ok(out);
                }
                c => out.push(c),
            }
        }
        Err(self.wrong("the text in quotes has no end"))
    }

    fn word(&mut self) -> String {
        let rest = &self.text[self.at..];
        let end = rest.find(|c: char| c.is_whitespace() || "()[]{}\",;".contains(c)).unwrap_or(rest.len());
        self.at += end;
        rest[..end].to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_with_lines() {
        let forms = parse(
            "; c\n(defproject a \"1\"\n  :aliases {\"x\" [\"do\" \"y\"] #_ #_ :a :b\n   :k ^{:doc \"d\"} [\"run\"]})",
        )
        .unwrap();
        let items = forms[0].items();
        assert_eq!((items[0].atom(), items[2].text(), items[3].line), (Some("defproject"), Some("1"), 3));
        let pairs: Vec<_> = items[4].pairs().collect();
        assert_eq!(pairs.len(), 2);
        assert_eq!((pairs[1].0.atom(), pairs[1].1.items()[0].text()), (Some(":k"), Some("run")));
    }

    #[test]
    fn what_is_wrong_has_a_place() {
        let place = |text| parse(text).unwrap_err().at.map(|at| (at.line, at.column));
        assert_eq!(place("(a\n {b)"), Some((2, 2)));
        assert_eq!(place("a\n)"), Some((2, 1)));
        assert_eq!(place("\"a"), Some((1, 1)));
        assert!(parse(&"(".repeat(100_000)).is_err());
    }
}

//! JSON, and JSON with comments and trailing commas, with positions that serde_json does not tell.

use std::sync::Arc;

use super::{Key, Node, Value};
use crate::tasks::{Position, Unreadable};

/// How much more than RFC 8259 is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Nothing: what npm and composer read.
    Strict,
    /// Comments and trailing commas, as VS Code, TypeScript, Deno and Rush read.
    Comments,
}

/// Deeper nesting is no document that people write, and would exhaust the stack.
const DEEPEST: usize = 128;

/// Reads one document.
pub fn parse(text: &str, dialect: Dialect) -> Result<Node, Unreadable> {
    let mut reader = Reader { text, at: 0, line: 1, line_start: 0, dialect, depth: 0 };
    reader.space()?;
    let node = reader.value()?;
    reader.space()?;
    match reader.peek() {
        None => Ok(node),
        Some(_) => Err(reader.wrong("there is more after the end of the document")),
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    line: usize,
    line_start: usize,
    dialect: Dialect,
    depth: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn position(&self) -> Position {
        let before = self.text.get(self.line_start..self.at).unwrap_or("");
        Position { line: self.line, column: before.chars().count() + 1 }
    }

    fn wrong(&self, reason: &str) -> Unreadable {
        Unreadable::at(format!("not valid JSON: {reason}"), self.position())
    }

    fn unexpected(&self, wanted: &str) -> Unreadable {
        match self.text[self.at..].chars().next() {
            Some(found) if found.is_control() => {
                self.wrong(&format!("here should be {wanted}, not `{}`", found.escape_default()))
            }
            Some(found) => self.wrong(&format!("here should be {wanted}, not `{found}`")),
            None => self.wrong(&format!("it ends where {wanted} should be")),
        }
    }

    fn newline(&mut self) {
        self.at += 1;
        self.line += 1;
        self.line_start = self.at;
    }

    /// Skips white space and, where they are allowed, comments.
    fn space(&mut self) -> Result<(), Unreadable> {
        loop {
            match self.peek() {
                Some(b'\n') => self.newline(),
                Some(b' ' | b'\t' | b'\r') => self.at += 1,
                Some(b'/') if self.dialect == Dialect::Comments => self.comment()?,
                _ => return Ok(()),
            }
        }
    }

    fn comment(&mut self) -> Result<(), Unreadable> {
        let rest = &self.text[self.at..];
        if rest.starts_with("//") {
            self.at += rest.find('\n').unwrap_or(rest.len());
            return Ok(());
        }
        let Some(end) = rest.strip_prefix("/*").and_then(|rest| rest.find("*/")) else {
            return Err(self.unexpected("a value"));
        };
        let end = self.at + end + 4;
        while self.at < end {
            if self.peek() == Some(b'\n') { self.newline() } else { self.at += 1 }
        }
        Ok(())
    }

    fn value(&mut self) -> Result<Node, Unreadable> {
        let at = self.position();
        let value = match self.peek() {
            Some(b'{') => self.nested(Self::map)?,
            Some(b'[') => self.nested(Self::list)?,
            Some(b'"') => Value::Text(self.string()?),
            Some(b'-' | b'0'..=b'9') => Value::Number(self.number()),
            _ => self.word()?,
        };
        Ok(Node { value, at })
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Value, Unreadable>) -> Result<Value, Unreadable> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.wrong(&format!("it is nested deeper than {DEEPEST}")));
        }
        self.at += 1;
        let value = read(self)?;
        self.depth -= 1;
        Ok(value)
    }

    fn map(&mut self) -> Result<Value, Unreadable> {
        let mut entries = Vec::new();
        while self.item(b'}', "`}`", entries.is_empty())? {
            if self.peek() != Some(b'"') {
                return Err(self.unexpected("a key in quotes"));
            }
            let at = self.position();
            let key = Key { text: self.string()?, at };
            self.space()?;
            if self.peek() != Some(b':') {
                return Err(self.unexpected("`:`"));
            }
            self.at += 1;
            self.space()?;
            entries.push((key, self.value()?));
        }
        Ok(Value::Map(Arc::new(entries)))
    }

    fn list(&mut self) -> Result<Value, Unreadable> {
        let mut items = Vec::new();
        while self.item(b']', "`]`", items.is_empty())? {
            items.push(self.value()?);
        }
        Ok(Value::List(Arc::new(items)))
    }

    /// Goes to the next item; false at the end.
    fn item(&mut self, end: u8, name: &str, first: bool) -> Result<bool, Unreadable> {
        self.space()?;
        match self.peek() {
            Some(byte) if byte == end => {
                self.at += 1;
                return Ok(false);
            }
            Some(_) if first => return Ok(true),
            Some(b',') => self.at += 1,
            _ => return Err(self.unexpected(&format!("`,` or {name}"))),
        }
        self.space()?;
        if self.peek() == Some(end) && self.dialect == Dialect::Comments {
            self.at += 1;
            return Ok(false);
        }
        Ok(true)
    }

    fn string(&mut self) -> Result<Arc<str>, Unreadable> {
        self.at += 1;
        let start = self.at;
        let bytes = self.text.as_bytes();
        while bytes.get(self.at).is_some_and(|byte| !matches!(byte, b'"' | b'\\' | b'\n')) {
            self.at += 1;
        }
        if self.peek() == Some(b'"') {
            self.at += 1;
            return Ok(self.text[start..self.at - 1].into());
        }
        let mut out = self.text[start..self.at].to_owned();
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out.into());
                }
                Some(b'\\') => out.push(self.escape()?),
                None | Some(b'\n') => return Err(self.wrong("the text in quotes has no end on this line")),
                Some(_) => {
                    let rest = &self.text[self.at..];
                    let plain = rest.find(['"', '\\', '\n']).unwrap_or(rest.len());
                    out.push_str(&rest[..plain]);
                    self.at += plain;
                }
            }
        }
    }

    fn escape(&mut self) -> Result<char, Unreadable> {
        let escaped = self.text.as_bytes().get(self.at + 1).copied();
        let plain = match escaped {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.code_unit(),
            _ => return Err(self.wrong("there is no such escape")),
        };
        self.at += 2;
        Ok(plain)
    }

    /// `\uXXXX`, and a pair of them for what is beyond.
    fn code_unit(&mut self) -> Result<char, Unreadable> {
        let unit = |at: usize| self.text.get(at..at + 4).and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let Some(first) = unit(self.at + 2) else {
            return Err(self.wrong("four hexadecimal digits belong after `\\u`"));
        };
        let paired = self.text.get(self.at + 6..self.at + 8) == Some("\\u");
        let second = if (0xd800..0xdc00).contains(&first) && paired { unit(self.at + 8) } else { None };
        match second.filter(|unit| (0xdc00..0xe000).contains(unit)) {
            Some(second) => {
                self.at += 12;
                Ok(char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)).unwrap_or('\u{fffd}'))
            }
            None => {
                self.at += 6;
                Ok(char::from_u32(first).unwrap_or('\u{fffd}'))
            }
        }
    }

    fn number(&mut self) -> Arc<str> {
        let rest = &self.text[self.at..];
        let end = rest.find(|c: char| !matches!(c, '0'..='9' | '+' | '-' | '.' | 'e' | 'E')).unwrap_or(rest.len());
        self.at += end;
        rest[..end].into()
    }

    fn word(&mut self) -> Result<Value, Unreadable> {
        let words = [("true", Value::Bool(true)), ("false", Value::Bool(false)), ("null", Value::Null)];
        for (word, value) in words {
            if self.text[self.at..].starts_with(word) {
                self.at += word.len();
                return Ok(value);
            }
        }
        Err(self.unexpected("a value"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strict(text: &str) -> Result<Node, (String, usize, usize)> {
        parse(text, Dialect::Strict).map_err(|it| (it.reason, it.at.unwrap().line, it.at.unwrap().column))
    }

    #[test]
    fn positions_and_escapes() {
        let node = strict("{\n  \"a\\u00e9\\ud83d\\ude00\": [1, -2.5e3, true, null],\n  \"ä\": {\"b\": \"x\\ny\"}\n}")
            .unwrap();
        let (key, list) = &node.entries()[0];
        assert_eq!((&*key.text, key.at.line, key.at.column), ("aé😀", 2, 3));
        assert_eq!(list.texts(), ["1", "-2.5e3", "true"]);
        let inner = node.path(&["ä", "b"]).unwrap();
        assert_eq!((inner.text(), inner.at.line, inner.at.column), (Some("x\ny"), 3, 14));
    }

    #[test]
    fn what_is_wrong_has_a_place() {
        let cases = [
            ("{\"a\": 1,}", "here should be a key in quotes, not `}`", 1, 9),
            ("{\"a\": 1\n\"b\": 2}", "here should be `,` or `}`, not `\"`", 2, 1),
            ("{\"a\": \"x\n\"}", "the text in quotes has no end on this line", 1, 9),
            ("{\"a\" 1}", "here should be `:`, not `1`", 1, 6),
            ("// no\n{}", "here should be a value, not `/`", 1, 1),
            ("", "it ends where a value should be", 1, 1),
            ("{} x", "there is more after the end of the document", 1, 4),
        ];
        for (text, reason, line, column) in cases {
            assert_eq!(strict(text), Err((format!("not valid JSON: {reason}"), line, column)), "{text}");
        }
        assert!(strict(&"[".repeat(100_000)).unwrap_err().0.contains("nested deeper"));
    }

    #[test]
    fn comments_where_they_are_allowed() {
        let text = "// top\n{ /* a\n b */ \"url\": \"http://x\", \"l\": [1, 2,], }\n// end";
        let node = parse(text, Dialect::Comments).unwrap();
        assert_eq!(node.text_of("url"), Some("http://x"));
        assert_eq!((node.get("l").unwrap().at.line, node.texts_of("l")), (3, vec!["1".to_owned(), "2".to_owned()]));
    }
}

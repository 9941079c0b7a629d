//! The only place that knows the YAML library: text to [`Node`], and JSON values to text.
//!
//! The library resolves anchors and merge keys and tells the place of each node; typing is ours (`read`), so that
//! every problem is found in one run instead of the first.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_yaml::{DuplicateKeyPolicy, Location, Spanned};

use crate::model::Template;

use super::node::{Key, Node, Scalar, Tag, Value};
use super::problem::{Problem, Problems};
use super::source::Span;

/// Larger manifests are refused: the largest real ones are a hundredth of it.
pub const LARGEST: usize = 4 << 20;

/// Parses the source at a place. `None` when it is no YAML at all; the problem is then in the list.
pub fn parse(source: usize, problems: &mut Problems) -> Option<Node> {
    let text = problems.sources.get(source).text.clone();
    let options = serde_yaml::options! {
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        with_snippet: false,
        // One anchor that a hundred services merge is no attack; the limit on nodes catches those.
        budget: serde_yaml::budget! { enforce_alias_anchor_ratio: false },
    };
    match serde_yaml::from_str_with_options::<Spanned<Raw>>(&text, options) {
        Ok(raw) => Some(Converter { source, text: &text, problems }.node(raw)),
        Err(error) => {
            problems.push(syntax_problem(&error, source, &text));
            None
        }
    }
}

/// Prints a JSON value as YAML.
pub fn print(value: &serde_json::Value) -> String {
    serde_yaml::to_string(value).unwrap_or_else(|error| format!("# cannot be printed: {error}\n"))
}

fn syntax_problem(error: &serde_yaml::Error, source: usize, text: &str) -> Problem {
    let location = error.location().unwrap_or(Location::UNKNOWN);
    let start = offset_of(location, text);
    let end = (start..=text.len()).skip(1).find(|&at| text.is_char_boundary(at)).unwrap_or(start);
    let full = error.to_string();
    let message = full.split(" at line ").next().unwrap_or(&full);
    let at = Span { source, start, end };
    if message.contains("budget") {
        return Problem::error("too_much", "the anchors and aliases expand to more than 250,000 values")
            .at(at)
            .hint("split the manifest with `include`, or use fewer nested aliases");
    }
    if message.contains("multiple YAML documents") {
        return Problem::error("yaml", "a manifest is one YAML document; a second one starts here")
            .at(at)
            .hint("put it into a file of its own and name that under `include`");
    }
    let problem = Problem::error("yaml", format!("not valid YAML: {message}")).at(at);
    match message.contains("tab") {
        true => problem.hint("indent with spaces; YAML forbids tabs there"),
        false => problem,
    }
}

/// The library counts lines and columns always, bytes only sometimes.
fn offset_of(location: Location, text: &str) -> usize {
    if let Some(offset) = location.span().byte_offset().and_then(|offset| usize::try_from(offset).ok())
        && offset <= text.len()
        && text.is_char_boundary(offset)
    {
        return offset;
    }
    let line = usize::try_from(location.line()).unwrap_or(1).max(1);
    let column = usize::try_from(location.column()).unwrap_or(1).max(1);
    let line_start = text.split_inclusive('\n').take(line - 1).map(str::len).sum::<usize>();
    let within = text[line_start..].char_indices().nth(column - 1).map_or(0, |(at, _)| at);
    (line_start + within).min(text.len())
}

/// What the library gives; numbers only mark that the text was plain.
enum Raw {
    Null,
    Number,
    Bool,
    Text(String),
    Seq(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<Raw>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        Raw::deserialize(deserializer)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Raw, E> {
        Ok(Raw::Bool)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Raw, E> {
        Ok(Raw::Number)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Raw, E> {
        Ok(Raw::Number)
    }

    fn visit_i128<E>(self, _: i128) -> Result<Raw, E> {
        Ok(Raw::Number)
    }

    fn visit_u128<E>(self, _: u128) -> Result<Raw, E> {
        Ok(Raw::Number)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Raw, E> {
        Ok(Raw::Number)
    }

    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Raw::Seq(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(Raw::Map(entries))
    }
}

struct Converter<'a> {
    source: usize,
    text: &'a str,
    problems: &'a mut Problems,
}

impl Converter<'_> {
    fn node(&mut self, raw: Spanned<Raw>) -> Node {
        let span = self.span(&raw);
        let tag = self.tag_before(span.start);
        let value = match raw.value {
            Raw::Null => Value::Null,
            Raw::Number | Raw::Bool => self.scalar(self.slice(span).to_owned(), true),
            Raw::Text(text) => {
                let plain = text == self.slice(span);
                self.scalar(text, plain)
            }
            Raw::Seq(items) => Value::Seq(items.into_iter().map(|item| self.node(item)).collect()),
            Raw::Map(entries) => Value::Map(self.map(entries)),
        };
        Node { value, span, tag }
    }

    fn scalar(&self, text: String, plain: bool) -> Value {
        Value::Scalar(Scalar { text: Template::text(text), plain })
    }

    fn map(&mut self, entries: Vec<(Spanned<Raw>, Spanned<Raw>)>) -> Vec<(Key, Node)> {
        let mut out: Vec<(Key, Node)> = Vec::with_capacity(entries.len());
        // A set only where the mapping is large: a linear look is cheaper for the usual ten keys.
        let mut seen = std::collections::HashMap::new();
        for (key, value) in entries {
            let span = self.span(&key);
            let text = match key.value {
                Raw::Text(text) => text,
                Raw::Number | Raw::Bool => self.slice(span).to_owned(),
                Raw::Null | Raw::Seq(_) | Raw::Map(_) => {
                    self.problems.push(Problem::error("wrong_type", "a key is a text or a number").at(span));
                    continue;
                }
            };
            if let Some(&first) = seen.get(&text) {
                self.problems.push(
                    Problem::error("duplicate_key", format!("`{text}` stands here twice"))
                        .at(span)
                        .related(first, "first here")
                        .hint("merge the two, or remove one"),
                );
                continue;
            }
            seen.insert(text.clone(), span);
            let node = self.node(value);
            out.push((Key { text, span }, node));
        }
        out
    }

    fn slice(&self, span: Span) -> &str {
        self.text.get(span.start..span.end).unwrap_or("")
    }

    /// Where a value is written, which for an alias or a merged key is at its anchor: the text to mend is there.
    fn span<T>(&self, raw: &Spanned<T>) -> Span {
        let start = offset_of(raw.defined, self.text);
        let length = raw.defined.span().byte_len().and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
        let end = (start + length).min(self.text.len());
        let end = if self.text.is_char_boundary(end) { end } else { start };
        Span { source: self.source, start, end: start + self.text[start..end].trim_end().len() }
    }

    /// The library tells no tags of plain values, but they stand right before the value.
    fn tag_before(&self, start: usize) -> Option<Tag> {
        let before = self.text[..start].trim_end();
        let word = before.rsplit(|c: char| c.is_whitespace() || c == ':').next()?;
        match word {
            "!reset" => Some(Tag::Reset),
            "!override" => Some(Tag::Override),
            _ => None,
        }
    }
}

//! From nodes to typed values, gathering every problem on the way.
//!
//! A type that implements [`Read`] knows how to read itself, what to say when it cannot, and its JSON Schema; so
//! the parser, the messages and the schema cannot disagree. `record!` does it for a mapping with known keys.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::time::Duration;

use indexmap::IndexMap;
use serde_json::{Value as Json, json};

use crate::model::{Size, Template, parse_duration};

use super::node::{Key, Node, Scalar, Value};
use super::problem::{Problem, Problems, did_you_mean, did_you_mean_key};
use super::source::Span;

/// A value that can be read from a manifest.
pub trait Read: Sized {
    /// Reads it; `None` means that a problem was added.
    fn read(node: &Node, problems: &mut Problems) -> Option<Self>;

    /// Its JSON Schema; records add themselves to the definitions and return a reference.
    fn schema(definitions: &mut Definitions) -> Json;
}

/// The named parts of a schema.
#[derive(Default)]
pub struct Definitions(BTreeMap<&'static str, Json>);

impl Definitions {
    /// A reference to the schema called `name`, made by `make` when it is met first.
    pub fn refer(&mut self, name: &'static str, make: impl FnOnce(&mut Self) -> Json) -> Json {
        if !self.0.contains_key(name) {
            self.0.insert(name, Json::Null);
            let schema = make(self);
            self.0.insert(name, schema);
        }
        json!({ "$ref": format!("#/$defs/{name}") })
    }

    /// All of them, by name.
    pub fn into_json(self) -> Json {
        json!(self.0)
    }
}

/// A value with its place, for checks that come later.
#[derive(Debug, Clone)]
pub struct At<T> {
    pub value: T,
    pub span: Span,
}

impl<T: Read> Read for At<T> {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        T::read(node, problems).map(|value| Self { value, span: node.span })
    }

    fn schema(definitions: &mut Definitions) -> Json {
        T::schema(definitions)
    }
}

/// Adds "… must be …, found …".
pub fn wrong_type(expected: &str, node: &Node, problems: &mut Problems) {
    let found = node.describe();
    problems.push(Problem::error("wrong_type", format!("expected {expected}, found {found}")).at(node.span));
}

/// The plain text of a scalar; references to services are refused, as nothing here waits for the plan.
pub fn text_of<'a>(node: &'a Node, expected: &str, problems: &mut Problems) -> Option<&'a str> {
    let Value::Scalar(Scalar { text, .. }) = &node.value else {
        wrong_type(expected, node, problems);
        return None;
    };
    let plain = text.as_text();
    if plain.is_none() {
        problems.push(
            Problem::error("no_reference_here", "an address of a service cannot be used here")
                .at(node.span)
                .hint("`${NAME.url}` and friends work in `environment`, `command`, `setup` and exec probes"),
        );
    }
    plain
}

impl Read for String {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        text_of(node, "a text", problems).map(str::to_owned)
    }

    fn schema(_: &mut Definitions) -> Json {
        json!({ "type": "string" })
    }
}

impl Read for Template {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        match &node.value {
            Value::Scalar(scalar) => Some(scalar.text.clone()),
            _ => {
                wrong_type("a text", node, problems);
                None
            }
        }
    }

    fn schema(_: &mut Definitions) -> Json {
        json!({ "type": ["string", "number", "boolean"] })
    }
}

impl Read for bool {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let text = text_of(node, "`true` or `false`", problems)?;
        match text {
            "true" | "True" | "TRUE" => Some(true),
            "false" | "False" | "FALSE" => Some(false),
            _ => {
                wrong_type("`true` or `false`", node, problems);
                None
            }
        }
    }

    fn schema(_: &mut Definitions) -> Json {
        json!({ "type": "boolean" })
    }
}

macro_rules! whole_number {
    ($type:ty, $expected:literal, $minimum:expr) => {
        impl Read for $type {
            fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
                let text = text_of(node, $expected, problems)?;
                let number = text.parse::<$type>().ok().filter(|number| ($minimum..=<$type>::MAX).contains(number));
                if number.is_none() {
                    wrong_type($expected, node, problems);
                }
                number
            }

            fn schema(_: &mut Definitions) -> Json {
                json!({ "type": "integer", "minimum": $minimum, "maximum": <$type>::MAX })
            }
        }
    };
}

whole_number!(u32, "a whole number", 0);
whole_number!(i64, "a whole number", -1);
whole_number!(u16, "a port number from 1 to 65535", 1);

impl Read for f64 {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let text = text_of(node, "a number", problems)?;
        let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
        if number.is_none() {
            wrong_type("a number", node, problems);
        }
        number
    }

    fn schema(_: &mut Definitions) -> Json {
        json!({ "type": "number" })
    }
}

impl Read for Duration {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let text = text_of(node, "a duration such as `250ms` or `1m30s`", problems)?;
        parse_duration(text)
            .map_err(|error| problems.push(Problem::error("bad_duration", error.to_string()).at(node.span)))
            .ok()
    }

    fn schema(_: &mut Definitions) -> Json {
        json!({ "type": ["string", "number"], "examples": ["250ms", "10s", "1m30s"] })
    }
}

impl Read for Size {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let text = text_of(node, "a size such as `64MiB`", problems)?;
        Self::parse(text)
            .map_err(|error| problems.push(Problem::error("bad_size", error.to_string()).at(node.span)))
            .ok()
    }

    fn schema(_: &mut Definitions) -> Json {
        json!({ "type": ["string", "integer"], "examples": ["64MiB", "4GiB"] })
    }
}

/// Kubernetes' spelling of a duration: a whole number of seconds.
#[derive(Debug, Clone, Copy)]
pub struct Seconds(pub Duration);

impl Read for Seconds {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        u32::read(node, problems).map(|seconds| Self(Duration::from_secs(seconds.into())))
    }

    fn schema(definitions: &mut Definitions) -> Json {
        u32::schema(definitions)
    }
}

/// A value of any shape.
#[derive(Debug, Clone)]
pub struct Any;

impl Read for Any {
    fn read(_: &Node, _: &mut Problems) -> Option<Self> {
        Some(Self)
    }

    fn schema(_: &mut Definitions) -> Json {
        json!({})
    }
}

/// A value that is read for its shape and not kept: nothing is done with it yet.
#[derive(Debug, Clone)]
pub struct Later<T>(PhantomData<T>);

impl<T: Read> Read for Later<T> {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        T::read(node, problems).map(|_| Self(PhantomData))
    }

    fn schema(definitions: &mut Definitions) -> Json {
        T::schema(definitions)
    }
}

/// A list in which the bad items are reported and left out.
impl<T: Read> Read for Vec<T> {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        match &node.value {
            Value::Seq(items) => Some(items.iter().filter_map(|item| T::read(item, problems)).collect()),
            Value::Null => Some(Self::new()),
            _ => {
                wrong_type("a list", node, problems);
                None
            }
        }
    }

    fn schema(definitions: &mut Definitions) -> Json {
        json!({ "type": "array", "items": T::schema(definitions) })
    }
}

/// A list, or a bare value for a list of one.
#[derive(Debug, Clone)]
pub struct OneOrMany<T>(pub Vec<T>);

impl<T> Default for OneOrMany<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Read> Read for OneOrMany<T> {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        match &node.value {
            Value::Seq(_) | Value::Null => Vec::read(node, problems).map(Self),
            _ => T::read(node, problems).map(|one| Self(vec![one])),
        }
    }

    fn schema(definitions: &mut Definitions) -> Json {
        let one = T::schema(definitions);
        json!({ "anyOf": [one, { "type": "array", "items": one }] })
    }
}

/// A record that has a short form for its usual case: `readiness: /healthz`.
pub trait Brief: Read {
    /// Reads the short form, which is never a mapping.
    fn brief(node: &Node, problems: &mut Problems) -> Option<Self>;

    /// The short form's JSON Schema.
    fn brief_schema(definitions: &mut Definitions) -> Json;
}

/// The short or the long form of a record.
#[derive(Debug, Clone, Default)]
pub struct OrBrief<T>(pub T);

impl<T: Brief> Read for OrBrief<T> {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        match &node.value {
            Value::Map(_) | Value::Null => T::read(node, problems).map(Self),
            _ => T::brief(node, problems).map(Self),
        }
    }

    fn schema(definitions: &mut Definitions) -> Json {
        json!({ "anyOf": [T::brief_schema(definitions), T::schema(definitions)] })
    }
}

/// A mapping whose keys are free.
#[derive(Debug, Clone)]
pub struct Dict<T>(pub IndexMap<String, Entry<T>>);

/// A value of a [`Dict`] with the place of its key.
#[derive(Debug, Clone)]
pub struct Entry<T> {
    pub key: Span,
    pub value: T,
}

impl<T> Default for Dict<T> {
    fn default() -> Self {
        Self(IndexMap::new())
    }
}

impl<T: Read> Read for Dict<T> {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let entries = match &node.value {
            Value::Map(entries) => entries.as_slice(),
            Value::Null => &[],
            _ => {
                wrong_type("a mapping", node, problems);
                return None;
            }
        };
        let read = entries
            .iter()
            .filter(|(key, _)| !key.text.starts_with("x-"))
            .filter_map(|(key, node)| {
                T::read(node, problems).map(|value| (key.text.clone(), Entry { key: key.span, value }))
            })
            .collect();
        Some(Self(read))
    }

    fn schema(definitions: &mut Definitions) -> Json {
        json!({ "type": "object", "additionalProperties": T::schema(definitions) })
    }
}

/// One of a few words.
pub fn read_word<T: Copy>(node: &Node, words: &[(&str, T)], problems: &mut Problems) -> Option<T> {
    let list = || words.iter().map(|(word, _)| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    let text = text_of(node, &format!("one of {}", list()), problems)?;
    let found = words.iter().find_map(|(word, value)| (*word == text).then_some(*value));
    if found.is_none() {
        let hint = did_you_mean(text, words.iter().map(|(word, _)| *word));
        problems.push(
            Problem::error("unknown_word", format!("`{text}` is none of {}", list())).at(node.span).maybe_hint(hint),
        );
    }
    found
}

/// The entries of a mapping with known keys; used by `record!`.
pub struct Fields<'a> {
    entries: &'a [(Key, Node)],
}

impl<'a> Fields<'a> {
    /// Opens a mapping and reports the keys that `kind` does not have.
    pub fn open(node: &'a Node, kind: &str, known: &[&str], problems: &mut Problems) -> Option<Self> {
        let entries = match &node.value {
            Value::Map(entries) => entries.as_slice(),
            Value::Null => &[],
            _ => {
                wrong_type(&format!("{kind} (a mapping)"), node, problems);
                return None;
            }
        };
        for (key, _) in entries {
            if !known.contains(&key.text.as_str()) && !key.text.starts_with("x-") {
                problems.push(unknown_key(key, kind, known));
            }
        }
        Some(Self { entries })
    }

    /// Reads the value of a key, if the key is there and has a value.
    pub fn take<T: Read>(&self, name: &str, problems: &mut Problems) -> Option<T> {
        let (_, node) = self.find(name)?;
        if node.value == Value::Null && node.tag.is_none() {
            return None;
        }
        T::read(node, problems)
    }

    /// Says that a key is understood but does nothing yet.
    pub fn not_built(&self, name: &str, problems: &mut Problems) {
        if let Some((key, _)) = self.find(name) {
            problems.push(not_built(&format!("`{name}`"), key.span));
        }
    }

    fn find(&self, name: &str) -> Option<&'a (Key, Node)> {
        self.entries.iter().find(|(key, _)| key.text == name)
    }
}

/// The problem of something that a later version will do: an error, since ignoring it would be a lie.
pub fn not_built(what: &str, span: Span) -> Problem {
    Problem::error("not_built", format!("{what} is not built yet in this version of nagaya"))
        .at(span)
        .hint("remove it, or keep it under a key that starts with `x-` until it is")
}

fn unknown_key(key: &Key, kind: &str, known: &[&str]) -> Problem {
    let hint = match key.text.as_str() {
        "extends" => Some("share keys with a YAML anchor and `<<`".to_owned()),
        "version" => Some("remove it; a manifest has no format version".to_owned()),
        "processes" => Some("a process is an entry of `services`".to_owned()),
        "ready_log_line" => Some("write `readiness: { log: … }`".to_owned()),
        "namespace" => Some("it is the workspace's: write it at the top level".to_owned()),
        "strict" => Some(
            "it is the workspace's: write it at the top level; what one service may call outside is its `egress`"
                .to_owned(),
        ),
        "network" => Some("it is a service's, or the workspace's: write it there or at the top level".to_owned()),
        "egress" => Some("it is a service's: write it there".to_owned()),
        other => did_you_mean(other, known.iter().copied()).or_else(|| did_you_mean_key(other, known)),
    };
    Problem::error("unknown_key", format!("{kind} has no key `{}`", key.text))
        .at(key.span)
        .maybe_hint(hint.or_else(|| Some(format!("its keys are {}; your own start with `x-`", known.join(", ")))))
}

/// A field's name as it is written in manifests: `static` is a word of Rust.
pub(crate) fn key(field: &'static str) -> &'static str {
    field.strip_prefix("r#").unwrap_or(field)
}

/// Declares a mapping with known keys: the struct, how it is read and its schema.
///
/// A field marked `later` is read, so that its shape is checked, and then refused as not built.
macro_rules! record {
    (
        $(#[doc = $doc:literal])*
        $name:ident is $kind:literal {
            $( $(#[doc = $field_doc:literal])* $([$later:ident])? $field:ident : $type:ty, )*
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, Default)]
        #[allow(non_snake_case, reason = "Kubernetes' spellings are field names too")]
        #[allow(dead_code, reason = "what only stands under a `later` key is read for its shape")]
        pub struct $name {
            $( $(#[doc = $field_doc])* pub $field: Option<record!(@type $($later)? $type)>, )*
        }

        impl $crate::manifest::read::Read for $name {
            fn read(
                node: &$crate::manifest::node::Node,
                problems: &mut $crate::manifest::problem::Problems,
            ) -> Option<Self> {
                let known = [$( $crate::manifest::read::key(stringify!($field)) ),*];
                let fields = $crate::manifest::read::Fields::open(node, $kind, &known, problems)?;
                $( $( record!(@$later fields.not_built($crate::manifest::read::key(stringify!($field)), problems)); )? )*
                Some(Self { $( $field: fields.take($crate::manifest::read::key(stringify!($field)), problems), )* })
            }

            fn schema(definitions: &mut $crate::manifest::read::Definitions) -> serde_json::Value {
                definitions.refer(stringify!($name), |definitions| {
                    let mut properties = serde_json::Map::new();
                    $(
                        #[allow(unused_mut)]
                        let mut note = String::new();
                        $( record!(@$later note.push_str(" (not built yet)")); )?
                        let doc = [$($field_doc),*].concat();
                        let mut schema = <$type as $crate::manifest::read::Read>::schema(definitions);
                        if let Some(object) = schema.as_object_mut() {
                            object.insert("description".into(), format!("{}{note}", doc.trim()).into());
                        }
                        properties.insert($crate::manifest::read::key(stringify!($field)).to_owned(), schema);
                    )*
                    let description = [$($doc),*].concat().trim().to_owned();
                    serde_json::json!({
                        "type": "object",
                        "description": description,
                        "properties": properties,
                        "patternProperties": { "^x-": {} },
                        "additionalProperties": false,
                    })
                })
            }
        }
    };
    (@later $($tokens:tt)*) => { $($tokens)* };
    (@type later $type:ty) => { $crate::manifest::read::Later<$type> };
    (@type $type:ty) => { $type };
}
pub(in crate::manifest) use record;

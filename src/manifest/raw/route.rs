//! `routes`: dtabs, and routes for some requests alone.

use serde_json::{Value as Json, json};

use crate::manifest::node::{Node, Value};
use crate::manifest::problem::Problems;
use crate::manifest::read::{At, Brief, Definitions, OneOrMany, OrBrief, Read, record, wrong_type};

/// An item of `routes`.
#[derive(Debug, Clone)]
pub enum RouteSpec {
    Dtab(String),
    ForSome(RouteRecord),
}

impl Read for RouteSpec {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        match &node.value {
            Value::Map(_) => RouteRecord::read(node, problems).map(Self::ForSome),
            _ => String::read(node, problems).map(Self::Dtab),
        }
    }

    fn schema(definitions: &mut Definitions) -> Json {
        json!({ "anyOf": [String::schema(definitions), RouteRecord::schema(definitions)] })
    }
}

record! {
    /// Where some requests to a service lead.
    RouteRecord is "a route" {
        /// What it is called where it is told of; what it matches where nothing is given.
        name: String,
        /// The services that these requests are for, or names of requests such as `/svc/users`.
        service: OneOrMany<At<String>>,
        /// Which requests: those that have all of this, or of several all of one. All requests where nothing is given.
        r#match: OneOrMany<MatchRecord>,
        /// Where they lead: a service or version, or a tree as in a dtab, `1 * /#/local/users-v2 & 9 * /#/local/users`.
        to: At<String>,
    }
}

record! {
    /// What a request has.
    MatchRecord is "a match" {
        /// The method, as it is written in requests.
        method: At<String>,
        /// The path: all below this one, by whole segments; or `{ exact: PATH }`, `{ regex: PATTERN }`.
        path: At<OrBrief<PathRecord>>,
        /// Header fields: the value, or `{ regex: PATTERN }`.
        headers: Texts,
        /// Parameters of the URL: the value, or `{ regex: PATTERN }`.
        query: Texts,
    }
}

/// Values by names of any form: `x-tenant` is a header and no key of one's own.
#[derive(Debug, Clone, Default)]
pub struct Texts(pub Vec<(At<String>, At<OrBrief<TextRecord>>)>);

impl Read for Texts {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let Value::Map(entries) = &node.value else {
            wrong_type("values by their names (a mapping)", node, problems);
            return None;
        };
        let texts = entries.iter().filter_map(|(key, node)| {
            let name = At { value: key.text.clone(), span: key.span };
            Some((name, At::read(node, problems)?))
        });
        Some(Self(texts.collect()))
    }

    fn schema(definitions: &mut Definitions) -> Json {
        json!({ "type": "object", "additionalProperties": OrBrief::<TextRecord>::schema(definitions) })
    }
}

record! {
    /// A path, long form: one of `exact`, `prefix` and `regex`.
    PathRecord is "a path" {
        /// This path alone.
        exact: At<String>,
        /// This path and all below it, by whole segments.
        prefix: At<String>,
        /// A regular expression for the whole path.
        regex: At<String>,
    }
}

impl Brief for PathRecord {
    fn brief(node: &Node, problems: &mut Problems) -> Option<Self> {
        At::read(node, problems).map(|prefix| Self { prefix: Some(prefix), ..Self::default() })
    }

    fn brief_schema(definitions: &mut Definitions) -> Json {
        String::schema(definitions)
    }
}

record! {
    /// A value, long form: one of `exact` and `regex`.
    TextRecord is "a value" {
        /// This value alone.
        exact: At<String>,
        /// A regular expression for the whole value.
        regex: At<String>,
    }
}

impl Brief for TextRecord {
    fn brief(node: &Node, problems: &mut Problems) -> Option<Self> {
        At::read(node, problems).map(|exact| Self { exact: Some(exact), ..Self::default() })
    }

    fn brief_schema(_: &mut Definitions) -> Json {
        json!({ "type": ["string", "number", "boolean"] })
    }
}

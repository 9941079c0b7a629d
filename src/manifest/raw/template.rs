//! The use of a template.

use serde_json::{Value as Json, json};

use crate::manifest::node::Node;
use crate::manifest::problem::Problems;
use crate::manifest::read::{At, Brief, Definitions, Dict, OneOrMany, Read, record};
use crate::manifest::source::Span;

use super::words::RunsOnWord;

record! {
    /// A template, and what is asked of it.
    TemplateUse is "a template" {
        /// Which one.
        name: At<String>,
        /// Which version of it: `16` is any 16.
        version: At<String>,
        /// The host's own program, or a container; `auto` takes what is there.
        run: At<RunsOnWord>,
        /// What it lets be set, such as `database`.
        options: Dict<String>,
        /// Files that fill its data when there is none yet, relative to the manifest.
        seed: OneOrMany<At<String>>,
    }
}

impl Brief for TemplateUse {
    fn brief(node: &Node, problems: &mut Problems) -> Option<Self> {
        let text = At::<String>::read(node, problems)?;
        let (name, version) = text.value.split_once('@').map_or((text.value.as_str(), None), |(a, b)| (a, Some(b)));
        let at = |value: &str, start: usize| At {
            value: value.to_owned(),
            span: Span { start, end: (start + value.len()).min(text.span.end.max(start)), ..text.span },
        };
        let version = version.map(|version| at(version, text.span.start + name.len() + 1));
        Some(Self { name: Some(at(name, text.span.start)), version, run: None, options: None, seed: None })
    }

    fn brief_schema(_: &mut Definitions) -> Json {
        json!({ "type": "string" })
    }
}

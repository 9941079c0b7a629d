//! `identifier`: what names requests.

use serde_json::Value as Json;

use crate::manifest::node::Node;
use crate::manifest::problem::Problems;
use crate::manifest::read::{At, Brief, Definitions, Read, record};

use super::words::IdentifierWord;

record! {
    /// What names requests, long form: one of `by`, `header`, `path` and `static`.
    IdentifierRecord is "an identifier" {
        /// `host`: the Host with its port; `method-and-host`: `/1.1/GET/HOST`; `l5d-name`: the path in that header;
        /// `grpc`: the service of a gRPC call, `package.Service`.
        by: IdentifierWord,
        /// The path that this header has.
        header: String,
        /// So many segments of the URL.
        path: At<u32>,
        /// Whether the URL is sent on without them.
        consume: bool,
        /// The same path for every request.
        r#static: At<String>,
    }
}

impl Brief for IdentifierRecord {
    fn brief(node: &Node, problems: &mut Problems) -> Option<Self> {
        IdentifierWord::read(node, problems).map(|word| Self { by: Some(word), ..Self::default() })
    }

    fn brief_schema(definitions: &mut Definitions) -> Json {
        IdentifierWord::schema(definitions)
    }
}

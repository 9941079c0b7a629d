//! The manifest's JSON Schema, from the very types that read it.

use serde_json::{Value as Json, json};

use super::raw::RawWorkspace;
use super::read::{Definitions, Read};

/// The schema (draft 2020-12), for editors that complete and validate.
pub fn schema() -> Json {
    let mut definitions = Definitions::default();
    let root = RawWorkspace::schema(&mut definitions);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "nagaya.yaml",
        "$ref": root["$ref"],
        "$defs": definitions.into_json(),
    })
}

//! How many instances.

use std::time::Duration;

use serde_json::Value as Json;

use crate::manifest::node::Node;
use crate::manifest::problem::Problems;
use crate::manifest::read::{At, Brief, Definitions, Read, record};

record! {
    /// A number of instances, or a range within which calls decide.
    Replicas is "replicas" {
        /// At least; 1.
        min: u32,
        /// At most.
        max: At<u32>,
        /// Calls under way that one instance is to have; 10.
        in_flight: At<u32>,
        /// How often it is decided; 15s, as in Kubernetes.
        period: At<Duration>,
        /// There are as many as were worth having at any time within it; 5m, as in Kubernetes.
        stabilization_window: At<Duration>,
    }
}

impl Brief for Replicas {
    fn brief(node: &Node, problems: &mut Problems) -> Option<Self> {
        u32::read(node, problems).map(|count| Self { min: Some(count), ..Self::default() })
    }

    fn brief_schema(definitions: &mut Definitions) -> Json {
        u32::schema(definitions)
    }
}

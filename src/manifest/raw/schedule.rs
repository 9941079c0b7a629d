//! `schedule`: times, as cron writes them.

use serde_json::{Value as Json, json};

use crate::manifest::node::Node;
use crate::manifest::problem::Problems;
use crate::manifest::read::{At, Brief, Definitions, Read, record};

record! {
    /// When a service runs.
    ScheduleRecord is "a schedule" {
        /// Minute, hour, day of the month, month, day of the week; seconds may come before them. `@hourly` and the like.
        cron: At<String>,
        /// The name of a time zone, as `Europe/Berlin`; this machine's where it is not given.
        timezone: At<String>,
        /// Kubernetes' name for `timezone`.
        timeZone: At<String>,
    }
}

impl Brief for ScheduleRecord {
    fn brief(node: &Node, problems: &mut Problems) -> Option<Self> {
        At::read(node, problems).map(|cron| Self { cron: Some(cron), ..Self::default() })
    }

    fn brief_schema(_: &mut Definitions) -> Json {
        json!({ "type": "string", "examples": ["*/5 * * * *", "@hourly"] })
    }
}

//! Mirrors: which requests are copied, and to which version.

use serde::{Deserialize, Serialize};

use crate::resilience::compare::Ignored;
use crate::telemetry::copies::Tally;
use crate::view;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MirrorRequest {
    pub service: String,
    /// The version, as a service.
    pub to: String,
    /// In percent.
    pub share: f64,
    /// Copy requests that write, too.
    pub writes: bool,
    /// Compare the answers, but for what is ignored.
    pub compare: Option<Ignored>,
}

/// A mirror in force.
#[derive(Debug, Clone)]
pub struct Mirror {
    pub request: MirrorRequest,
    pub tally: Tally,
}

impl Mirror {
    /// As users see it now.
    pub fn shown(&self) -> view::Mirror {
        let MirrorRequest { service, to, share, writes, compare } = self.request.clone();
        let (counts, latest) = (self.tally.counts(), self.tally.since(0));
        view::Mirror { service, to, share, writes, compares: compare.is_some(), counts, latest }
    }
}

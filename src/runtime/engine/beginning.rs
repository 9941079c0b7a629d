//! What an engine begins with.

use std::sync::Arc;

use super::tries::Tries;
use crate::effects::places::Home;
use crate::model::Workspace;
use crate::plan::combined;
use crate::runtime::matrix::Laid;

/// What was read, what runs of it, and what is made for that: the services themselves, or combinations of their versions.
pub(super) fn begin(manifest: Workspace, laid: Option<Laid>, home: &Home) -> (Arc<Workspace>, Arc<Workspace>, Tries) {
    let manifest = Arc::new(manifest);
    match laid {
        None => {
            let tries = Tries::new(home);
            let (workspace, _) = manifest.trying(&tries.tried());
            (manifest, Arc::new(workspace), tries)
        }
        Some(laid) => {
            let workspace = Arc::new(combined(&manifest, &laid.matrix));
            (manifest, workspace, Tries::comparing(laid))
        }
    }
}

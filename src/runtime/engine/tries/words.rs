//! Versions that are tried as they are shown, and what is said of one that cannot be ended, or not as a whole.

use super::{Entry, Stage};
use crate::effects::worktree::Kept;
use crate::runtime::Problem;
use crate::runtime::engine::Engine;
use crate::runtime::tries::refused;
use crate::view;

impl Engine {
    /// All of them, as they are shown.
    pub(in crate::runtime::engine) fn shown_tries(&self) -> Vec<view::Try> {
        let shown = |entry: &Entry| {
            let it = &entry.it;
            let place = self.world.plan().index(&it.name).filter(|&place| !self.world.is_over(place));
            let status = place.map(|place| self.world.status(place));
            let reason = status.as_ref().and_then(|status| status.reason.as_ref());
            view::Try {
                name: it.name.clone(),
                service: it.service.clone(),
                version: it.version.clone(),
                state: status.as_ref().map(|status| status.state),
                folder: it.folder.display().to_string(),
                branch: it.worktree.as_ref().map(|worktree| worktree.branch.clone()),
                worktree: it.worktree.as_ref().map(|worktree| worktree.path.display().to_string()),
                reason: it.kept.clone().or(reason.map(|reason| view::reason(reason, self.world.plan()))),
                header: view::Steering::header(&it.service, &it.name),
            }
        };
        let is_shown = |entry: &&Entry| !matches!(entry.stage, Stage::Lent);
        self.tries.list.iter().filter(is_shown).map(shown).collect()
    }
}

/// It is not ended, as requests would still be led to it.
pub(super) fn still_led(name: &str, why: &Problem) -> Problem {
    let hint = format!("`nagaya try --end {name} --force` ends it all the same");
    refused(format!("{name} goes on running, as the routes to it cannot be changed: {why}"), Some(hint))
}

/// It was ended all the same.
pub(super) fn led_nowhere(name: &str, why: &Problem) -> Problem {
    let hint = "`nagaya dtab list` shows what leads to it".to_owned();
    refused(format!("{name} has ended, but the routes to it could not be changed: {why}"), Some(hint))
}

/// Something of it would be lost.
pub(super) fn stays(name: &str, why: &Kept, and: &str) -> Problem {
    let hint = match why {
        Kept::Locked(_) => format!("`git worktree unlock` opens it; `nagaya try --end {name} --force` drops it"),
        _ => format!("commit what matters to a branch; `nagaya try --end {name} --force` drops it"),
    };
    refused(format!("{name} {and}, and its worktree is kept: {why}"), Some(hint))
}

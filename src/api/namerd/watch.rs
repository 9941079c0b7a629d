//! Answers as they change, one a line; none twice in a row.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use futures_util::stream::unfold;
use tokio::sync::watch;

use super::query::{Query, Said};
use crate::route::history::Dtabs;
use crate::route::{Routes, Table};
use crate::runtime::Handle;

/// Whatever an answer may depend on.
pub struct Changes {
    dtabs: watch::Receiver<Arc<Dtabs>>,
    routes: watch::Receiver<Arc<Routes>>,
    table: watch::Receiver<Arc<Table>>,
    /// States of services.
    rows: watch::Receiver<u64>,
}

impl Changes {
    /// What changes from now on.
    pub fn of(handle: &Handle) -> Self {
        let (dtabs, routes, table) = (handle.dtabs.clone(), handle.routes.clone(), handle.table.clone());
        let mut changes = Self { dtabs, routes, table, rows: handle.board.subscribe() };
        changes.see();
        changes
    }

    fn see(&mut self) {
        self.dtabs.mark_unchanged();
        self.routes.mark_unchanged();
        self.table.mark_unchanged();
        self.rows.mark_unchanged();
    }

    /// Waits for the next one; false where there will be none.
    pub async fn next(&mut self) -> bool {
        let changed = tokio::select! {
            changed = self.dtabs.changed() => changed,
            changed = self.routes.changed() => changed,
            changed = self.table.changed() => changed,
            changed = self.rows.changed() => changed,
        };
        self.see();
        changed.is_ok()
    }
}

/// All answers from now on. An error is the last one; what is missing may yet come.
pub fn stream(handle: Handle, query: Query, changes: Changes) -> Body {
    let state = Some((handle, query, changes, None::<String>));
    Body::from_stream(unfold(state, |state| async {
        let (handle, query, mut changes, mut before) = state?;
        loop {
            match query.answer(&handle).await {
                Said::Text(text) if before.as_ref() != Some(&text) => {
                    before = Some(text.clone());
                    return Some((Ok::<_, Infallible>(text), Some((handle, query, changes, before))));
                }
                Said::Error(message) => return Some((Ok(message + "\n"), None)),
                Said::Text(_) | Said::Pending | Said::Missing => {}
            }
            if !changes.next().await {
                return None;
            }
        }
    }))
}

//! Word that something has changed of what services and routes are: whoever shows an answer of the engine's asks again
//! then, and not before.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Query, State};
use axum::response::sse::{Event, Sse};
use axum::routing::get;
use futures_util::stream::{Stream, unfold};
use serde::Deserialize;
use tokio::sync::watch;

use super::server::{Shared, message};
use crate::route::history::Dtabs;
use crate::route::{Routes, Table};
use crate::runtime::Handle;
use crate::telemetry::logs::Ends;
use crate::view::Shift;

/// The path of this.
pub fn router() -> Router<Shared> {
    Router::new().route("/v1/stirs", get(stream))
}

/// Between two words: what happens meanwhile goes into one.
const PAUSE: Duration = Duration::from_millis(200);

#[derive(Deserialize)]
struct Of {
    /// A service whose output counts too.
    log: Option<String>,
}

/// All that may stir.
struct Stirs {
    rows: watch::Receiver<u64>,
    table: watch::Receiver<Arc<Table>>,
    routes: watch::Receiver<Arc<Routes>>,
    dtabs: watch::Receiver<Arc<Dtabs>>,
    shifts: watch::Receiver<Vec<Shift>>,
    ends: Ends,
    written: watch::Receiver<u64>,
    /// So much of what was written has been told.
    seen: u64,
    log: Option<String>,
}

impl Stirs {
    fn new(handle: Handle, log: Option<String>) -> Self {
        let written = handle.ends.subscribe();
        let seen = *written.borrow();
        Self {
            seen,
            written,
            rows: handle.board.meanings(),
            table: handle.table,
            routes: handle.routes,
            dtabs: handle.dtabs,
            shifts: handle.shifts,
            ends: handle.ends,
            log,
        }
    }

    /// Waits for the next change; nothing when the engine ends.
    async fn next(&mut self) -> Option<()> {
        let log = async {
            let Some(name) = &self.log else { return std::future::pending().await };
            loop {
                let now = *self.written.borrow_and_update();
                // What was written since the last word, also while nobody waited here.
                if self.ends.since(std::mem::replace(&mut self.seen, now)).contains(name) {
                    return Ok(());
                }
                self.written.changed().await?;
            }
        };
        let changed = tokio::select! {
            changed = self.rows.changed() => changed,
            changed = self.table.changed() => changed,
            changed = self.routes.changed() => changed,
            changed = self.dtabs.changed() => changed,
            changed = self.shifts.changed() => changed,
            changed = log => changed,
        };
        changed.ok()
    }
}

/// A word at once, from which on nothing is missed, and one with every change.
async fn stream(
    State(shared): State<Shared>,
    Query(of): Query<Of>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let state = (Stirs::new(shared.handle, of.log), true);
    Sse::new(unfold(state, |(mut stirs, is_first)| async move {
        if !is_first {
            tokio::time::sleep(PAUSE).await;
            stirs.next().await?;
        }
        Some((message(&()), (stirs, false)))
    }))
}

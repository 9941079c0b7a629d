//! Snapshots, for the engine's clients: they make and restore them by themselves, and have the engine get one ready.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;

use super::server::Shared;
use crate::effects::places::Home;
use crate::effects::snapshots;

/// The paths of all this.
pub fn router() -> Router<Shared> {
    Router::new().route("/v1/snapshots/ready", post(make_ready))
}

#[derive(Deserialize)]
struct Wanted {
    snapshot: String,
}

/// Calls a copy off when nobody waits for it any more: an engine that ends takes nobody's time.
struct CallOff(Arc<AtomicBool>);

impl Drop for CallOff {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Answers at once. Where there is no copy in the end, the next restore takes longer and is as good.
async fn make_ready(State(shared): State<Shared>, Json(wanted): Json<Wanted>) -> Json<()> {
    let (state, id) = (shared.identity.state(), shared.identity.id.clone());
    let mut ending = shared.handle.ending.clone();
    tokio::spawn(async move {
        let flag = Arc::new(AtomicBool::new(false));
        let _call_off = CallOff(flag.clone());
        let home = Home { id, socket: state.join("unused"), state };
        let made = tokio::task::spawn_blocking(move || snapshots::make_ready(&home, &wanted.snapshot, &flag));
        tokio::select! {
            _ = made => {}
            _ = ending.wait_for(|ends| *ends) => {}
        }
    });
    Json(())
}

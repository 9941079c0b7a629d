//! Shifts between versions, for the engine's clients.

use std::convert::Infallible;

use axum::extract::State;
use axum::response::sse::{Event, Sse};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::stream::{Stream, unfold};
use serde::{Deserialize, Serialize};

use super::server::{Answer, Shared, message};
use crate::runtime::{Ask, ShiftRequest};
use crate::view::Shift;

/// The paths of all this.
pub fn router() -> Router<Shared> {
    Router::new()
        .route("/v1/shifts", get(list).post(begin))
        .route("/v1/shifts/abort", post(abort))
        .route("/v1/shifts/stream", get(stream))
}

/// The shift of a service.
#[derive(Debug, Serialize, Deserialize)]
pub struct Of {
    pub service: String,
}

async fn list(State(shared): State<Shared>) -> Json<Vec<Shift>> {
    Json(shared.handle.shifts.borrow().clone())
}

async fn begin(State(shared): State<Shared>, Json(request): Json<ShiftRequest>) -> Answer<Shift> {
    shared.handle.ask(|reply| Ask::Shift(request, reply)).await.map(Json)
}

async fn abort(State(shared): State<Shared>, Json(of): Json<Of>) -> Answer<()> {
    shared.handle.ask(|reply| Ask::AbortShift(of.service, reply)).await.map(Json)
}

/// All shifts, now and with every change.
async fn stream(State(shared): State<Shared>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let mut shifts = shared.handle.shifts;
    shifts.mark_changed();
    Sse::new(unfold(shifts, |mut shifts| async move {
        shifts.changed().await.ok()?;
        let all = shifts.borrow_and_update().clone();
        Some((message(&all), shifts))
    }))
}

//! Mirrors, for the engine's clients.

use std::convert::Infallible;

use axum::extract::{Query, State};
use axum::response::sse::{Event, Sse};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::stream::{Stream, unfold};

use super::server::{Answer, Shared, message};
use super::shifts::Of;
use crate::runtime::{Ask, MirrorRequest};
use crate::view::Mirror;

/// The paths of all this.
pub fn router() -> Router<Shared> {
    Router::new()
        .route("/v1/mirrors", get(list).post(begin))
        .route("/v1/mirrors/end", post(end))
        .route("/v1/mirrors/stream", get(stream))
}

async fn list(State(shared): State<Shared>) -> Json<Vec<Mirror>> {
    let mirrors = shared.handle.mirrors.borrow().clone();
    Json(mirrors.iter().map(crate::runtime::Mirror::shown).collect())
}

async fn begin(State(shared): State<Shared>, Json(request): Json<MirrorRequest>) -> Answer<Mirror> {
    shared.handle.ask(|reply| Ask::Mirror(request, reply)).await.map(Json)
}

async fn end(State(shared): State<Shared>, Json(of): Json<Of>) -> Answer<Mirror> {
    shared.handle.ask(|reply| Ask::EndMirror(of.service, reply)).await.map(Json)
}

/// What is different from now on, as it is seen; it ends with the mirror.
async fn stream(
    State(shared): State<Shared>,
    Query(of): Query<Of>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let mirrors = shared.handle.mirrors;
    let all = mirrors.borrow().clone();
    let tally = all.iter().find(|mirror| mirror.request.service == of.service).map(|mirror| mirror.tally.clone());
    let from = tally.as_ref().map_or(1, |tally| *tally.news().borrow() + 1);
    Sse::new(unfold((tally, mirrors, from), move |(tally, mut mirrors, from)| {
        let service = of.service.clone();
        async move {
            let known = tally?;
            let mut news = known.news();
            let is_over = |all: &std::sync::Arc<Vec<_>>| {
                !all.iter().any(|mirror: &crate::runtime::Mirror| mirror.request.service == service)
            };
            let has_ended = tokio::select! {
                biased;
                found = news.wait_for(|last| *last >= from) => found.is_err(),
                _ = mirrors.wait_for(is_over) => true,
            };
            let seen = known.since(from);
            let next = seen.last().map_or(from, |last| last.number + 1);
            let event = message(&seen);
            (!has_ended).then_some((event, (Some(known), mirrors, next)))
        }
    }))
}

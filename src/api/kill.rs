//! Signals for services, from whoever asks for them.

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use super::client::{CallError, Client};
use super::server::{Answer, Shared};
use crate::model::Signal;
use crate::runtime::{Ask, Problem};

/// The paths of all this.
pub fn router() -> Router<Shared> {
    Router::new().route("/v1/services/kill", post(kill))
}

/// Which signal, by its name, for whom; for all services where none is named.
#[derive(Debug, Serialize, Deserialize)]
struct Kill {
    services: Vec<String>,
    signal: String,
}

async fn kill(State(shared): State<Shared>, Json(asked): Json<Kill>) -> Answer<Vec<String>> {
    let Kill { services, signal } = asked;
    let unknown = || Problem::Nothing { message: format!("`{signal}` is no signal") };
    let signal = Signal::parse(&signal).ok_or_else(unknown)?;
    shared.handle.ask(|reply| Ask::Kill { services, signal, reply }).await.map(Json)
}

impl Client {
    /// Sends a signal to services, or to all; the names of those that it was for.
    pub async fn kill(&self, services: &[String], signal: Signal) -> Result<Vec<String>, CallError> {
        let asked = Kill { services: services.to_vec(), signal: signal.to_string() };
        self.post("/v1/services/kill", &asked).await
    }
}

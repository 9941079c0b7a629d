//! Services that run elsewhere too, for the engine's clients.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use super::routes::change;
use super::server::{Answer, Shared};
use crate::manifest::did_you_mean;
use crate::route::Table;
use crate::route::history::{Action, Author, Change};
use crate::route::remotes::{Away, Switch, away};
use crate::runtime::{Handle, Problem};
use crate::view::{Remote, by_service, remotes};

/// The paths of all this.
pub fn router() -> Router<Shared> {
    Router::new().route("/v1/remotes", get(list).post(switch))
}

/// A service that is to be looked for elsewhere, or here again.
#[derive(Debug, Serialize, Deserialize)]
pub struct Switched {
    pub service: String,
    pub is_on: bool,
    /// The remote; where only one can be meant, that.
    pub to: Option<String>,
    pub who: String,
}

fn now(handle: &Handle) -> (Arc<Table>, Away) {
    (handle.table.borrow().clone(), away(&handle.dtabs.borrow().routes()))
}

fn shown(handle: &Handle) -> Vec<Remote> {
    let (table, away) = now(handle);
    remotes(&table, &away, &by_service(handle.board.rows()))
}

async fn list(State(shared): State<Shared>) -> Json<Vec<Remote>> {
    Json(shown(&shared.handle))
}

async fn switch(State(shared): State<Shared>, Json(switched): Json<Switched>) -> Answer<Vec<Remote>> {
    let (table, away) = now(&shared.handle);
    let service = known(&table, &switched.service)?;
    let remote = if switched.is_on { Some(meant(&table, &away, &switched)?) } else { None };
    let action = Action::Switch(Switch::One { service, remote });
    change(&shared.handle, Change { namespace: None, who: Author::new(&switched.who), action }).await?;
    Ok(Json(shown(&shared.handle)))
}

fn known(table: &Table, name: &str) -> Result<String, Problem> {
    if table.index(name).is_some() {
        return Ok(name.to_owned());
    }
    let hint = did_you_mean(name, table.upstreams.iter().map(|upstream| &*upstream.name));
    Err(Problem::UnknownService { name: name.to_owned(), hint })
}

/// The remote that is meant: the one that is named, else the only one, else the one at which others are.
fn meant(table: &Table, away: &Away, switched: &Switched) -> Result<String, Problem> {
    let service = &switched.service;
    let mut all: Vec<&str> = table
        .remotes
        .keys()
        .filter_map(|key| key.split_once('/').filter(|(_, it)| it == service))
        .map(|(remote, _)| remote)
        .collect();
    all.sort_unstable();
    let refused = |message: String, hint: String| Err(Problem::Remote { message, hint });
    if let Some(named) = &switched.to {
        return match all.contains(&named.as_str()) {
            true => Ok(named.clone()),
            false if all.is_empty() => refused(format!("no remote has a URL for {service}"), lacking(service)),
            false => {
                refused(format!("{named} is no remote that has {service}"), format!("it is at {}", all.join(", ")))
            }
        };
    }
    let in_use = |remote: &&&str| away.values().any(|known| known == **remote);
    let used: Vec<&&str> = all.iter().filter(in_use).collect();
    match (all.as_slice(), used.as_slice()) {
        ([], _) => refused(format!("no remote has a URL for {service}"), lacking(service)),
        ([only], _) => Ok((*only).to_owned()),
        (_, [only]) => Ok((**only).to_owned()),
        _ => refused(
            format!("{service} is at several remotes: {}", all.join(", ")),
            format!("`--to {}` names one", all[0]),
        ),
    }
}

fn lacking(service: &str) -> String {
    format!("`remotes: {{ staging: {{ {service}: \"https://…\" }} }}` in the manifest has one")
}

//! Services that run in other places too, as `remote` shows them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Service;
use crate::route::Table;
use crate::route::remotes::Away;
use crate::supervise::State;

/// A service that may be looked for elsewhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Remote {
    pub service: String,
    /// Where its requests go; here where there is none.
    pub remote: Option<String>,
    /// What runs of it here.
    pub state: State,
    /// Where it may be looked for: URLs by remotes.
    pub remotes: BTreeMap<String, String>,
}

/// All of them, in the order of the services.
pub fn remotes(table: &Table, away: &Away, rows: &[Service]) -> Vec<Remote> {
    let urls = |service: &str| -> BTreeMap<String, String> {
        let of_service = table.remotes.values().filter(|upstream| **upstream.service() == *service);
        of_service.filter_map(|it| it.remote.as_ref()).map(|it| (it.name.to_string(), it.url.to_string())).collect()
    };
    let known = rows.iter().map(|row| (row, urls(&row.name))).filter(|(_, urls)| !urls.is_empty());
    known
        .map(|(row, remotes)| Remote {
            service: row.name.clone(),
            remote: away.get(&row.name).filter(|remote| remotes.contains_key(*remote)).cloned(),
            state: row.state,
            remotes,
        })
        .collect()
}

//! What the page of routes is told: the entries, how versions share requests, and what is under way.

use super::feeds::Source;
use crate::api::CallError;
use crate::dtab::Dtab;
use crate::route::shares;
use crate::tui::{RoutesTold, Shared};
use crate::view::{Service, Shift, ShiftState};

impl Source {
    /// The routes, and what is under way with them.
    pub async fn told_of_routes(&self) -> Result<RoutesTold, CallError> {
        let dtab: Dtab = self.client.routes().await?.dtab.parse().unwrap_or_default();
        let rows = self.client.services().await?;
        let shifts = self.client.shifts().await?;
        Ok(RoutesTold {
            entries: self.client.route_entries().await?,
            shared: shared(&dtab, &rows),
            tries: self.client.tries().await?,
            shifts: shifts.iter().filter(|shift| shift.state == ShiftState::Shifting).map(shift_line).collect(),
        })
    }
}

/// The services of several versions, and how requests are shared among these.
fn shared(dtab: &Dtab, rows: &[Service]) -> Vec<Shared> {
    let mut out: Vec<Shared> = Vec::new();
    for row in rows.iter().filter(|row| row.name == row.service) {
        let mut versions: Vec<&str> =
            rows.iter().filter(|it| it.service == row.service).map(|it| it.name.as_str()).collect();
        versions.dedup();
        if versions.len() < 2 || out.iter().any(|it| it.service == row.service) {
            continue;
        }
        let now = shares::current(dtab, &row.service, row.version.as_deref());
        let share = |name: &str| now.iter().find(|(known, _)| known == name).map_or(0.0, |(_, share)| *share);
        let shares = versions.into_iter().map(|name| (name.to_owned(), share(name))).collect();
        out.push(Shared { service: row.service.clone(), shares });
    }
    out
}

fn shift_line(shift: &Shift) -> String {
    let Shift { service, to, share, step, steps, .. } = shift;
    format!("{share:.1} % of the requests to {service} go to {to}: step {step} of {steps}")
}

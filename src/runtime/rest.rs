//! Which services are looked for elsewhere, by what an `up` asks.

use super::{Problem, UpRequest};
use crate::manifest::did_you_mean;
use crate::model::Workspace;
use crate::route::remotes::Away;

/// The services that are elsewhere once a request is carried out. What it names runs here, and where it names nothing,
/// everything; what else is there now stays where it is, unless the rest is to be at a remote.
pub fn away(workspace: &Workspace, request: &UpRequest, now: &Away) -> Result<Away, Problem> {
    let named = &request.selection.services;
    let is_named = |service: &str| named.iter().any(|name| name == service);
    let mut away = match &request.rest {
        Some(name) => {
            let remote = workspace.remotes.get(name).ok_or_else(|| unknown(workspace, name))?;
            remote.keys().map(|service| (service.clone(), name.clone())).collect()
        }
        None if named.is_empty() => Away::new(),
        None => now.clone(),
    };
    away.retain(|service, _| !is_named(service));
    Ok(away)
}

/// What to say of services that are elsewhere.
pub fn notice(away: &Away) -> Option<String> {
    let mut remotes: Vec<&String> = away.values().collect();
    remotes.sort();
    remotes.dedup();
    let told = remotes.into_iter().map(|remote| {
        let services: Vec<&str> =
            away.iter().filter(|(_, known)| *known == remote).map(|(service, _)| service.as_str()).collect();
        let verb = if services.len() == 1 { "is" } else { "are" };
        format!("{} {verb} at {remote}", listed(&services))
    });
    let told: Vec<String> = told.collect();
    (!told.is_empty()).then(|| format!("{}: `nagaya remote` shows and switches them", told.join("; ")))
}

fn listed(names: &[&str]) -> String {
    match names {
        [head @ .., last] if head.len() > 4 => {
            format!("{} and {} more", head[..3].join(", "), head.len() - 3 + usize::from(!last.is_empty()))
        }
        [head @ .., last] if !head.is_empty() => format!("{} and {last}", head.join(", ")),
        names => names.concat(),
    }
}

/// A remote that the manifest does not have.
pub fn unknown(workspace: &Workspace, name: &str) -> Problem {
    let known = || workspace.remotes.keys().map(String::as_str);
    let hint = did_you_mean(name, known()).unwrap_or_else(|| match known().collect::<Vec<_>>().as_slice() {
        [] => "the manifest has none: `remotes: { staging: { \"*\": \"https://{name}.staging.example.com\" } }`"
            .to_owned(),
        all => format!("the remotes are {}", all.join(", ")),
    });
    Problem::UnknownRemote { name: name.to_owned(), hint }
}

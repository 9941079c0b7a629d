//! What an `up` wants of each service.

use super::{Problem, UpRequest};
use crate::manifest::did_you_mean;
use crate::model::{Service, Workspace};
use crate::plan::{SelectError, select};
use crate::route::remotes::Away;
use crate::supervise::Want;

/// What a request wants of each service that it is about. One that is named is started even where it is lazy.
pub(super) fn wanted(workspace: &Workspace, request: &UpRequest, away: &Away) -> Result<Vec<(usize, Want)>, Problem> {
    let is_away = |service: &Service| away.contains_key(service.name.as_str());
    let mask = select(workspace, &request.selection, is_away).map_err(|error| select_problem(workspace, error))?;
    let selected = mask.into_iter().enumerate().filter(|(_, selected)| *selected);
    let wants = selected.map(|(place, _)| {
        let service = workspace.service(place);
        let named = request.selection.services.iter().any(|name| name == service.name.as_str());
        // What lives elsewhere has nothing to start.
        let may_wait = !service.ports.is_empty() && service.external().is_none();
        let lazy = service.lazy || (request.lazy && may_wait);
        (place, if lazy && !named { Want::Idle } else { Want::Up })
    });
    Ok(wants.collect())
}

fn select_problem(workspace: &Workspace, error: SelectError) -> Problem {
    match error {
        SelectError::UnknownService(name) => {
            let hint = did_you_mean(&name, workspace.services.keys().map(|known| known.as_str()));
            Problem::UnknownService { name, hint }
        }
        SelectError::UnknownProfile(name) => {
            let near = did_you_mean(&name, workspace.profiles.iter().map(String::as_str));
            let all = || match workspace.profiles.as_slice() {
                [] => "the manifest has no profiles".to_owned(),
                profiles => format!("the profiles are {}", profiles.join(", ")),
            };
            Problem::UnknownProfile { name, hint: Some(near.unwrap_or_else(all)) }
        }
        SelectError::Nothing => Problem::Nothing { message: error.to_string() },
    }
}

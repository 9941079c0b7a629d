//! How host processes see the network here: the best that this machine allows, or what the manifest asks for.

use super::Problem;
use crate::launcher::pod::Failure;
use crate::model::{NetworkMode, Workspace};

/// The mode that `auto` means, with a word to the user where that is not the best one. A mode that was asked for and
/// cannot be had is a problem.
pub fn choose(workspace: &Workspace, pods: Result<(), Failure>) -> Result<(NetworkMode, Option<String>), Problem> {
    let Err(failure) = pods else { return Ok((NetworkMode::Pod, None)) };
    let processes = || workspace.services.values().filter(|service| service.external().is_none());
    let asked = processes().find(|service| service.network.or(workspace.network) == Some(NetworkMode::Pod));
    if let Some(service) = asked {
        return Err(Problem::NoPods { service: service.name.to_string(), reason: failure.to_string() });
    }
    let open = processes().any(|service| service.network.or(workspace.network).is_none());
    let notice = open.then(|| {
        format!(
            "services share this machine's network (mode `env`), as pods are not possible here: {failure}; \
             `nagaya doctor` tells how they would be"
        )
    });
    Ok((NetworkMode::Env, notice))
}

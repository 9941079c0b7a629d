//! How host processes see the network here: the best that this machine allows, or what the manifest asks for.

use super::Problem;
use crate::effects::trial::Possible;
use crate::model::{NetworkMode, Workspace};

/// The mode that `auto` means, with a word to the user where that is not the best one. A mode that was asked for and
/// cannot be had is a problem.
pub fn choose(workspace: &Workspace, possible: &Possible) -> Result<(NetworkMode, Option<String>), Problem> {
    let processes = || workspace.services.values().filter(|service| service.external().is_none());
    for (mode, tried) in [(NetworkMode::Pod, possible.pod), (NetworkMode::Names, possible.names)] {
        let asked = || processes().find(|service| service.network.or(workspace.network) == Some(mode));
        if let Err(failure) = tried
            && let Some(service) = asked()
        {
            let (service, reason) = (service.name.to_string(), failure.to_string());
            return Err(Problem::NoMode { service, mode: mode.word().to_owned(), reason });
        }
    }
    let Err(failure) = possible.pod else { return Ok((NetworkMode::Pod, None)) };
    let open = processes().any(|service| service.network.or(workspace.network).is_none());
    let best = match possible.best() {
        NetworkMode::Names => NetworkMode::Env,
        best => best,
    };
    let means = match best {
        NetworkMode::Names => "names lead to loopback addresses",
        NetworkMode::Pod | NetworkMode::Env => "addresses come in variables",
    };
    let notice = open.then(|| {
        format!(
            "services share this machine's network (mode `{}`: {means}), as pods are not possible here: {failure}; \
             `nagaya doctor` tells how they would be",
            best.word()
        )
    });
    Ok((best, notice))
}

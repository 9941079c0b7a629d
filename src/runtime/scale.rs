//! Numbers of instances that were asked for at run time: they hold until the manifest says another one.

use super::{Problem, Scale};
use crate::manifest::did_you_mean;
use crate::model::{MOST_REPLICAS, Workspace};

/// The workspace with these numbers in the place of the manifest's.
pub fn scaled(workspace: &Workspace, scale: &Scale) -> Result<Workspace, Problem> {
    let mut workspace = workspace.clone();
    for (name, &count) in scale {
        let Some(place) = workspace.index(name) else {
            let hint = did_you_mean(name, workspace.services.keys().map(|known| known.as_str()));
            return Err(Problem::UnknownService { name: name.clone(), hint });
        };
        let Some((_, service)) = workspace.services.get_index_mut(place) else { continue };
        if let Some(external) = service.external() {
            return Err(Problem::Elsewhere { name: name.clone(), at: external.to_string() });
        }
        let Some(count) = count else { continue };
        let refused = |message: String, hint: String| Err(Problem::Scale { message, hint });
        match count {
            0 => {
                return refused(
                    format!("{name} cannot be scaled to nothing"),
                    format!("`nagaya stop {name}` has none of it running"),
                );
            }
            MOST_REPLICAS.. if count > MOST_REPLICAS => {
                return refused(
                    format!("{name} cannot have {count} instances"),
                    format!("a service has at most {MOST_REPLICAS}"),
                );
            }
            2.. if service.stateful => {
                return refused(
                    format!("{name} owns data, so there are never two of it"),
                    "what can be there several times is not `stateful`".to_owned(),
                );
            }
            2.. if service.schedule.is_some() => {
                return refused(
                    format!("{name} runs at its times, one at once"),
                    "what is to run several times at once has no `schedule`".to_owned(),
                );
            }
            count => (service.replicas, service.autoscale) = (count, None),
        }
    }
    Ok(workspace)
}

/// A word for whoever sets a number that calls would decide.
pub fn by_hand(workspace: &Workspace, scale: &Scale) -> Vec<String> {
    let decided = |name: &str| workspace.service(workspace.index(name)?).autoscale;
    let word = |name: &String| {
        format!(
            "the calls of {name} do not decide how many there are any more; with `nagaya scale {name}=auto` they do"
        )
    };
    let set = scale.iter().filter(|(name, count)| count.is_some() && decided(name).is_some());
    set.map(|(name, _)| word(name)).collect()
}

/// Those numbers that hold when another manifest takes the place of one: of services about which it says the same.
pub fn kept(scale: &Scale, old: &Workspace, new: &Workspace) -> Scale {
    let said = |workspace: &Workspace, name: &str| {
        let service = workspace.service(workspace.index(name)?);
        Some((service.replicas, service.autoscale))
    };
    let holds = |name: &str| said(old, name).is_some() && said(old, name) == said(new, name);
    scale.iter().filter(|(name, _)| holds(name)).map(|(name, count)| (name.clone(), *count)).collect()
}

//! Services that are to have the number of this machine at which the front door is.

use crate::model::{NetworkMode, Protocol, Service, Workspace};

use super::edges::{references, wanted_edges};
use super::lint::Lint;

/// A service that is to be reached at a number of this machine, and that in words, where `auto` means the network mode
/// that is given.
pub fn claim(workspace: &Workspace, auto: NetworkMode, number: u16) -> Option<(usize, String)> {
    let publishes = |service: &Service| service.publish.iter().any(|it| it.host == number);
    let listens = |service: &Service| {
        let in_pod = workspace.network_of(service, auto) == NetworkMode::Pod;
        service.external().is_none() && !in_pod && service.listen.contains(&Some(number))
    };
    let verb = |service: &Service| match service {
        it if publishes(it) => Some("publishes"),
        it if listens(it) => Some("listens on"),
        _ => None,
    };
    let own = workspace.services.values().enumerate().find_map(|(place, service)| Some((place, verb(service)?)));
    let (place, verb) = own.or_else(|| Some((called(workspace, auto, number)?, "is called at")))?;
    Some((place, format!("`{}` {verb} {number}", workspace.service(place).name)))
}

/// What is wrong with a workspace whose front door is at a number.
pub fn door_clash(workspace: &Workspace, auto: NetworkMode, door: u16) -> Option<Lint> {
    let (service, claim) = claim(workspace, auto, door)?;
    Some(Lint {
        service,
        needle: door.to_string(),
        code: "front_door",
        message: format!("{claim}, the number of the front door"),
        hint: "choose another; or `nagaya down` and `nagaya up`, which has the front door move to another".to_owned(),
    })
}

/// A service that others call at a number, where they find it at that number of a loopback address.
fn called(workspace: &Workspace, auto: NetworkMode, number: u16) -> Option<usize> {
    let by_name = |from: usize| workspace.network_of(workspace.service(from), auto) == NetworkMode::Names;
    let is_of_number = |to: usize, port: usize| {
        let port = &workspace.service(to).ports[port];
        // UDP takes no number of TCP's.
        port.number == number && port.protocol != Protocol::Udp
    };
    let edges = wanted_edges(workspace, &references(workspace)).into_iter();
    let mut of_number = edges.filter(|(_, to, port)| is_of_number(*to, *port));
    of_number.find(|(from, _, _)| by_name(*from)).map(|(_, to, _)| to)
}

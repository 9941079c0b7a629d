//! `remotes`: where services run that are not run here.

use indexmap::IndexMap;

use super::{Unit, unknown_service};
use crate::manifest::problem::{Problem, Problems};
use crate::manifest::raw::bad_url;
use crate::manifest::read::{At, Dict, Entry};
use crate::manifest::source::Span;
use crate::model::{External, PLACEHOLDER, Remotes, Service, ServiceName};

/// The key of the URL for all services that have none of their own.
const ANY: &str = "*";

/// The URLs of all services in all remotes. `homes` are the manifests of the services, of which those of tasks come last.
/// What the main manifest says of a service goes before what others say; an included one's URL for all services is for
/// its own.
pub fn remotes(
    units: &[Unit],
    services: &IndexMap<ServiceName, Service>,
    homes: &[usize],
    problems: &mut Problems,
) -> Remotes {
    let mut all = Remotes::new();
    for (place, unit) in units.iter().enumerate() {
        for (remote, Entry { key, value }) in unit.raw.remotes.iter().flat_map(|dict| &dict.0) {
            if let Err(error) = ServiceName::new(remote) {
                problems
                    .push(Problem::error("bad_name", format!("`{remote}` is no name of a remote: {error}")).at(*key));
                continue;
            }
            let known = all.entry(remote.clone()).or_default();
            for (service, url) in named(value, services, problems) {
                known.entry(service).or_insert(url);
            }
            let Some(Entry { key, value: pattern }) = value.0.get(ANY) else { continue };
            let is_own = |name: &ServiceName| {
                place == 0 || services.get_index_of(name).map(|it| homes.get(it)) == Some(Some(&place))
            };
            for (service, url) in for_all(pattern, *key, services, problems) {
                if is_own(&service) {
                    known.entry(service.to_string()).or_insert(url);
                }
            }
        }
    }
    all
}

/// The services that have a URL of their own.
fn named(
    remote: &Dict<At<String>>,
    services: &IndexMap<ServiceName, Service>,
    problems: &mut Problems,
) -> Vec<(String, External)> {
    let mut found = Vec::new();
    for (name, Entry { key, value }) in remote.0.iter().filter(|(name, _)| *name != ANY) {
        let Some(service) = services.get(name.as_str()).filter(|service| bears_name(service)) else {
            let known: Vec<String> =
                services.values().filter(|it| bears_name(it)).map(|it| it.name.to_string()).collect();
            problems.push(unknown_service(name, *key, &known));
            continue;
        };
        let Some(url) = read(value, name, problems) else { continue };
        if !url.stands_for(service) {
            problems.push(unfit(service, &url, value.span));
            continue;
        }
        found.push((name.clone(), url));
    }
    found
}

/// All services for which a URL can stand that is written for any.
fn for_all(
    pattern: &At<String>,
    key: Span,
    services: &IndexMap<ServiceName, Service>,
    problems: &mut Problems,
) -> Vec<(ServiceName, External)> {
    if !pattern.value.contains(PLACEHOLDER) {
        let message = format!("the URL under `{ANY}` is the same for all services");
        let problem = Problem::error("bad_remote", message).at(pattern.span).related(key, "for all of them");
        problems.push(problem.hint(format!("write `{PLACEHOLDER}` where the name of the service belongs")));
        return Vec::new();
    }
    if read(pattern, "name", problems).is_none() {
        return Vec::new();
    }
    let own = services.values().filter(|it| bears_name(it) && !it.task && it.external().is_none());
    own.filter_map(|service| {
        let url = External::parse(&pattern.value.replace(PLACEHOLDER, service.name.as_str())).ok()?;
        url.stands_for(service).then(|| (service.name.clone(), url))
    })
    .collect()
}

fn read(url: &At<String>, name: &str, problems: &mut Problems) -> Option<External> {
    let text = url.value.replace(PLACEHOLDER, name);
    External::parse(&text).map_err(|error| problems.push(bad_url(&text, &error).at(url.span))).ok()
}

/// Callers know only the version that has the service's name.
fn bears_name(service: &Service) -> bool {
    service.version.as_ref().is_none_or(|version| version.of == service.name)
}

fn unfit(service: &Service, url: &External, span: Span) -> Problem {
    let scheme = url.scheme.word();
    let message = match service.ports.is_empty() {
        true => format!("`{}` has no ports, so nobody calls it", service.name),
        false => format!("none of the ports of `{}` can be called by `{scheme}://`", service.name),
    };
    let problem = Problem::error("bad_remote", message).at(span);
    match service.ports.is_empty() {
        true => problem,
        false => problem.hint("`tcp://HOST:PORT` is for ports that speak no HTTP"),
    }
}

//! `/$/…`: names that mean the same everywhere (finagle: `Namer.global`; linkerd: `io.buoyant`).
//!
//! | path | is |
//! | --- | --- |
//! | `/$/inet/HOST/PORT`, `/$/inet/PORT` | bound to an address; `fixedinet` is the same |
//! | `/$/io.buoyant.rinet/PORT/HOST` | the same, port first |
//! | `/$/nil` | `$` |
//! | `/$/fail` | `!` |
//! | `/$/io.buoyant.http.*`, `/$/io.buoyant.*hostPfx` | another name, made of what is behind |
//! | any other `/$/KIND` | an error, as linkerd would load a class of this name |

use super::super::label::Label;
use super::super::path::Path;
use super::super::tree::NameTree;
use super::super::unbound::Unbound;
use super::{Address, Answer, Place, hostport, http};

/// The labels before what a kind is asked: `$` and itself.
const PREFIX: usize = 2;

/// The prefix of the namer that a path asks, and what it says; `None` for a path without `$` or a kind.
pub fn lookup<E>(path: &Path) -> Option<(Path, Result<Answer<E>, Unbound>)> {
    let [dollar, kind, rest @ ..] = path.labels() else { return None };
    if dollar.as_bytes() != b"$" {
        return None;
    }
    let unknown = || Unbound::UnknownNamer { path: path.clone(), kind: kind.to_string() };
    let answer = kind.as_str().and_then(|kind| ask(kind, rest)).ok_or_else(unknown);
    Some((path.split_at(PREFIX).0, answer.map(|answer| answer.behind(PREFIX))))
}

/// What is wrong with a name of an address that leads to nobody, in words that go on behind it.
pub fn flaw(path: &Path) -> Option<String> {
    let [_, kind, rest @ ..] = path.labels() else { return None };
    let is_inet = matches!(kind.as_str()?, "inet" | "fixedinet");
    if !is_inet && kind.as_str()? != "io.buoyant.rinet" {
        return None;
    }
    match lookup::<()>(path)?.1 {
        Err(_) if rest.is_empty() => Some(format!("an address is `/$/{kind}/HOST/PORT`")),
        Err(_) => Some(format!("it has no port: an address is `/$/{kind}/HOST/PORT`")),
        Ok(Answer::Bound { place: Place::Vacant, taken }) => {
            let port = if is_inet { taken.checked_sub(1)? } else { PREFIX };
            Some(format!("`{}` is no port: these are 1 to 65535", path.labels().get(port)?))
        }
        Ok(_) => None,
    }
}

fn ask<E>(kind: &str, rest: &[Label]) -> Option<Answer<E>> {
    let rewritten = match kind {
        "inet" | "fixedinet" => return inet(rest),
        "nil" => return Some(Answer::Tree(NameTree::Empty)),
        "fail" => return Some(Answer::Tree(NameTree::Fail)),
        "io.buoyant.rinet" => return Some(rinet(rest)),
        "io.buoyant.hostportPfx" => hostport::host_port(rest),
        "io.buoyant.porthostPfx" => hostport::port_host(rest),
        "io.buoyant.http.anyMethod" => Ok(http::any_method(rest)),
        "io.buoyant.http.anyMethodPfx" => Ok(http::any_method_behind(rest)),
        "io.buoyant.http.anyHost" => Ok(http::any_host(rest)),
        "io.buoyant.http.anyHostPfx" => Ok(http::any_host_behind(rest)),
        "io.buoyant.http.subdomainOf" => Ok(http::subdomain_of(rest)),
        "io.buoyant.http.subdomainOfPfx" => Ok(http::subdomain_of_behind(rest)),
        "io.buoyant.http.domainToPath" => http::domain_to_path(rest),
        "io.buoyant.http.domainToPathPfx" => http::domain_to_path_behind(rest),
        _ => return None,
    };
    Some(Answer::rewritten(rewritten))
}

/// A host and a port, or else a port alone. Neither is no namer's, as in finagle.
fn inet<E>(rest: &[Label]) -> Option<Answer<E>> {
    match rest {
        [host, port, ..] if number(port).is_some() => Some(bound(Some(host), port)),
        [port, ..] if number(port).is_some() => Some(bound(None, port)),
        _ => None,
    }
}

fn rinet<E>(rest: &[Label]) -> Answer<E> {
    match rest {
        [port, host, ..] => bound(Some(host), port),
        _ => Answer::Neg,
    }
}

/// A number that is no port is bound too, to nobody.
fn bound<E>(host: Option<&Label>, port: &Label) -> Answer<E> {
    let name = host.map_or_else(|| "localhost".into(), |host| String::from_utf8_lossy(host.as_bytes()));
    let port = number(port).and_then(|port| u16::try_from(port).ok());
    let place = port.map_or(Place::Vacant, |port| Place::Inet(Address { host: name.into_owned(), port }));
    Answer::Bound { taken: 1 + usize::from(host.is_some()), place }
}

fn number(label: &Label) -> Option<i32> {
    label.as_str()?.parse().ok()
}

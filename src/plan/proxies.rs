//! The shell's HTTP proxies, as programs in pods can use them.
//!
//! A proxy on this machine's loopback, as VPN clients and corporate agents have it, is elsewhere for a pod; and no
//! proxy knows the workspace's names.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::model::Workspace;

use super::addresses::{RANGE, RANGE6};

/// By these programs are told of a proxy; most take either spelling (curl(1), Go's `ProxyFromEnvironment`).
pub const PROXIES: [&str; 6] = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
/// By these, who is to be called without one.
const EXCEPTIONS: [&str; 2] = ["NO_PROXY", "no_proxy"];
/// This machine's loopback, as pods call it.
pub const HOST_NAME: &str = "host.nagaya.internal";

/// Variables that take the place of the shell's in pods.
pub type Proxies = Arc<BTreeMap<String, String>>;

/// What changes in pods. Nothing, where the shell names no proxy.
pub fn proxies(workspace: &Workspace, host_label: &str, shell: &BTreeMap<String, String>) -> Proxies {
    let set = |name: &&str| shell.get(*name).filter(|value| !value.is_empty());
    if PROXIES.iter().all(|name| set(name).is_none()) {
        return Proxies::default();
    }
    let moved = PROXIES.iter().filter_map(|name| Some(((*name).to_owned(), from_pod(set(name)?)?)));
    // Whoever reads the other spelling knows the same exceptions.
    let before = EXCEPTIONS.iter().find_map(set).map_or("", String::as_str);
    let own = names(workspace, host_label);
    let exceptions = EXCEPTIONS.iter().filter_map(|name| {
        let value = set(name).map_or(before, String::as_str);
        (value.trim() != "*").then(|| ((*name).to_owned(), extended(value, &own)))
    });
    Arc::new(moved.chain(exceptions).collect())
}

/// The address of a proxy on the loopback as a pod calls it; `None` for any other.
pub fn from_pod(value: &str) -> Option<String> {
    let start = value.find("://").map_or(0, |at| at + 3);
    let end = value[start..].find(['/', '?', '#']).map_or(value.len(), |at| start + at);
    let host = start + value[start..end].rfind('@').map_or(0, |at| at + 1);
    let authority = &value[host..end];
    // Behind the brackets of IPv6, or the only colon.
    let port = authority.rfind(']').map_or(0, |at| at + 1);
    let port = authority[port..].find(':').map_or(authority.len(), |at| port + at);
    is_loopback(&authority[..port]).then(|| format!("{}{HOST_NAME}{}", &value[..host], &value[host + port..]))
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

fn extended(value: &str, own: &str) -> String {
    match value.trim().trim_end_matches(',') {
        "" => own.to_owned(),
        value => format!("{value},{own}"),
    }
}

/// All that is ours, with commas. A dot in front stands for whatever is below.
fn names(workspace: &Workspace, host_label: &str) -> String {
    let (network, length) = RANGE;
    let mut out = vec!["localhost".to_owned(), ".localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    out.extend([
        format!("{network}/{length}"),
        format!("{}/{}", RANGE6.0, RANGE6.1),
        HOST_NAME.to_owned(),
        "host.docker.internal".to_owned(),
    ]);
    let (name, namespace) = (workspace.name.as_str(), workspace.namespace.to_string());
    let svc = format!("{namespace}.svc");
    let mut zones = vec![name, host_label, &namespace, &svc, "svc.cluster.local"];
    zones.dedup();
    out.extend(zones.iter().map(|zone| format!(".{zone}")));
    for service in workspace.services.values() {
        out.push(service.name.to_string());
        out.extend(service.aliases.iter().map(ToString::to_string));
        out.extend(service.hostnames.iter().map(|host| host.as_str().trim_start_matches('*').to_owned()));
    }
    out.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_on_the_loopback_is_the_hosts() {
        let cases = [
            ("http://127.0.0.1:3128", Some("http://host.nagaya.internal:3128")),
            ("http://me:p%40ss@localhost:3128/", Some("http://me:p%40ss@host.nagaya.internal:3128/")),
            ("http://me@127.0.0.1:localhost@LocalHost:1", Some("http://me@127.0.0.1:localhost@host.nagaya.internal:1")),
            ("localhost:8080", Some("host.nagaya.internal:8080")),
            ("127.1.2.3", Some("host.nagaya.internal")),
            ("socks5h://[::1]:1080", Some("socks5h://host.nagaya.internal:1080")),
            ("http://[::1]", Some("http://host.nagaya.internal")),
            ("http://proxy.corp:3128", None),
            ("http://localhost:pass@proxy.corp:3128", None),
            ("http://localhost.corp:3128", None),
            ("http://10.0.0.1:3128/127.0.0.1", None),
            ("", None),
            ("://@:", None),
        ];
        for (value, expected) in cases {
            assert_eq!(from_pod(value).as_deref(), expected, "{value}");
        }
    }

    #[test]
    fn exceptions_are_kept_and_ours_are_added() {
        assert_eq!(extended("", "web"), "web");
        assert_eq!(extended(" .corp,10.0.0.0/8, ", "web"), ".corp,10.0.0.0/8,web");
    }
}

//! Names, certificates, proxies and other engines: what is around a workspace.

use std::net::IpAddr;

use super::{Finding, ResolvConf, Trust};
use crate::effects::trial::Possible;
use crate::plan::{HOST_NAME, from_pod};
use crate::route::resolv;

pub fn front_door(found: &Result<Vec<IpAddr>, String>) -> Finding {
    let check = "front_door";
    let fix = "`nagaya url` prints addresses with 127.0.0.1 too; systemd's nss-myhostname (libnss-myhostname on Debian) \
               resolves the names for all programs";
    match found {
        Ok(addresses) if addresses.is_empty() => Finding::warning(
            check,
            "programs here do not resolve *.localhost; browsers and curl do that themselves",
            fix,
        ),
        Ok(addresses) => match addresses.iter().find(|address| !address.is_loopback()) {
            None => Finding::ok(check, "programs here resolve *.localhost to the loopback, where the front door is"),
            Some(stranger) => {
                let message =
                    format!("*.localhost leads to {stranger} and not to the loopback: a server of names says so");
                Finding::warning(check, message, fix)
            }
        },
        Err(why) => {
            let message =
                format!("programs here do not resolve *.localhost ({why}); browsers and curl do that themselves");
            Finding::warning(check, message, fix)
        }
    }
}

pub fn trust(trust: &Trust) -> Finding {
    let check = "trust";
    let install = "`nagaya trust`, which prints as commands what needs root";
    match trust {
        Trust::None => {
            Finding::ok(check, "no certificate authority was made yet: the first https call at a front door does")
        }
        Trust::Broken(why) => Finding::warning(
            check,
            format!("the certificate authority cannot be used: {why}"),
            "`nagaya trust` makes another one",
        ),
        Trust::In(stores) => {
            let show = |wanted: bool| -> Vec<String> {
                let of = stores.iter().filter(|(_, _, has)| *has == wanted);
                of.map(|(kind, place, _)| format!("{kind} ({})", place.display())).collect()
            };
            match show(false) {
                missing if !missing.is_empty() => {
                    let message = format!("https at the front door is not trusted by: {}", missing.join(", "));
                    Finding::warning(check, message, install)
                }
                _ if stores.is_empty() => {
                    Finding::ok(check, "there is no store of certificates to put the authority into")
                }
                _ => Finding::ok(check, format!("https at the front door is trusted by: {}", show(true).join(", "))),
            }
        }
    }
}

pub fn dns(resolv_conf: &ResolvConf) -> Finding {
    let check = "dns";
    let fix = "services still find each other; for other names, /etc/resolv.conf needs a line `nameserver ADDRESS`";
    match resolv_conf {
        ResolvConf::Missing => {
            Finding::warning(check, "there is no /etc/resolv.conf: names of the internet are not resolved", fix)
        }
        ResolvConf::Dangling(target) => {
            let message = format!("/etc/resolv.conf leads to {}, which is not there", target.display());
            Finding::warning(check, message, format!("start the service that writes it, or make it a file: {fix}"))
        }
        ResolvConf::Text(text) => {
            let servers = resolv::ResolvConf::parse(text).nameservers;
            let shown: Vec<String> = servers.iter().map(|server| server.address.to_string()).collect();
            match shown.is_empty() {
                true => Finding::warning(check, "/etc/resolv.conf names no server", fix),
                false => {
                    Finding::ok(check, format!("names that are not the workspace's are asked of {}", shown.join(", ")))
                }
            }
        }
    }
}

/// One on the loopback is elsewhere for a pod, and services there are told of it by another name.
pub fn proxy(variables: &[(String, String)]) -> Finding {
    let moved = variables.iter().find(|(_, value)| from_pod(value).is_some());
    Finding::ok(
        "proxy",
        match moved {
            None if variables.is_empty() => "no proxy for the internet is set".to_owned(),
            None => "the proxy for the internet is reached from everywhere".to_owned(),
            Some((name, _)) => format!(
                "{name} is a proxy on this machine's loopback: services in pods are given its address at {HOST_NAME}"
            ),
        },
    )
}

/// The kernel has to tell whom a datagram was meant for; pods are possible without.
pub fn udp(possible: &Possible, datagrams: &Result<(), String>) -> Finding {
    let check = "udp";
    match (possible.pod, datagrams) {
        (Err(_), _) => Finding::ok(check, "services share this machine's network, and send datagrams as it does"),
        (Ok(()), Ok(())) => {
            Finding::ok(check, "datagrams of pods are passed on, between services and to the world outside")
        }
        (Ok(()), Err(why)) => {
            let message = format!("datagrams of pods are refused, but for questions of names: no ctnetlink ({why})");
            let fix = "`sudo modprobe nf_conntrack_netlink` on the machine itself, and its name in a file below \
                       /etc/modules-load.d to keep it; or `network: env` on the services that need UDP";
            Finding::warning(check, message, fix)
        }
    }
}

pub fn containers(engine: &Result<String, String>) -> Finding {
    let check = "containers";
    match engine {
        Ok(engine) => Finding::ok(check, format!("containers are run by {engine}")),
        Err(why) => Finding::warning(check, "services with `image` or `build` cannot be run here", why),
    }
}

pub fn engines(running: &[(String, String)]) -> Finding {
    let check = "engines";
    let own = env!("CARGO_PKG_VERSION");
    let others: Vec<String> = running
        .iter()
        .filter(|(_, version)| version != own)
        .map(|(workspace, version)| format!("{workspace} ({version})"))
        .collect();
    match others.is_empty() {
        true if running.is_empty() => Finding::ok(check, "no workspace is running"),
        true => Finding::ok(check, format!("all that run are of this version, {own}: {}", running.len())),
        false => {
            let message =
                format!("engines of another version than this one, {own}, are running: {}", others.join(", "));
            Finding::warning(check, message, "`nagaya down` and `nagaya up` in each of these workspaces")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::super::Status;
    use super::*;
    use crate::launcher::pod::{Failure, Step};

    #[test]
    fn names_below_localhost_lead_to_the_loopback() {
        let of = |addresses: &[&str]| front_door(&Ok(addresses.iter().map(|it| it.parse().unwrap()).collect()));
        assert_eq!(of(&["127.0.0.1", "::1"]).status, Status::Ok);
        for finding in [of(&[]), front_door(&Err("no such name".to_owned())), of(&["127.0.0.1", "192.0.2.1"])] {
            assert_eq!(finding.status, Status::Warning);
            assert!(finding.fix.unwrap().contains("nagaya url"));
        }
        assert!(of(&["192.0.2.1"]).message.contains("192.0.2.1"));
    }

    #[test]
    fn stores_without_the_authority_are_named() {
        let store = |kind, has| (kind, PathBuf::from("/certs"), has);
        assert_eq!(trust(&Trust::None).status, Status::Ok);
        assert_eq!(trust(&Trust::In(Vec::new())).status, Status::Ok);
        assert_eq!(trust(&Trust::In(vec![store("system", true)])).status, Status::Ok);
        let finding = trust(&Trust::In(vec![store("system", true), store("nss", false)]));
        assert_eq!(finding.status, Status::Warning);
        assert!(finding.message.contains("nss (/certs)") && !finding.message.contains("system"), "{finding:?}");
        assert_eq!(trust(&Trust::Broken("x".to_owned())).status, Status::Warning);
    }

    #[test]
    fn a_resolv_conf_has_a_server() {
        assert_eq!(dns(&ResolvConf::Text("nameserver 192.0.2.53\n".to_owned())).status, Status::Ok);
        let cases = [
            (ResolvConf::Missing, "there is no /etc/resolv.conf"),
            (ResolvConf::Dangling("/run/x/resolv.conf".into()), "/run/x/resolv.conf, which is not there"),
            (ResolvConf::Text("search lan\n".to_owned()), "names no server"),
        ];
        for (file, expected) in cases {
            let finding = dns(&file);
            assert_eq!(finding.status, Status::Warning);
            assert!(finding.message.contains(expected), "{finding:?}");
        }
    }

    #[test]
    fn a_proxy_on_the_loopback_is_given_to_pods_by_another_name() {
        let of = |value: &str| proxy(&[("HTTPS_PROXY".to_owned(), value.to_owned())]);
        for value in ["http://127.0.0.1:3128", "http://user:secret@localhost:3128/", "[::1]:8080", "localhost"] {
            let finding = of(value);
            assert!(
                finding.message.contains("HTTPS_PROXY") && finding.message.contains(HOST_NAME),
                "{value}: {finding:?}"
            );
            assert!(finding.status == Status::Ok && !finding.message.contains("secret"), "{finding:?}");
        }
        for value in ["http://proxy.corp.example:3128", "http://10.0.0.1", "", "http://[::2]:1"] {
            assert!(of(value).message.contains("reached from everywhere"), "{value}");
        }
        assert!(proxy(&[]).message.contains("no proxy"));
    }

    #[test]
    fn datagrams_need_a_part_of_the_kernel() {
        let none = Possible::nothing(Failure { step: Step::Namespaces, errno: 1 });
        let all = Possible { pod: Ok(()), names: Ok(()) };
        assert_eq!([udp(&none, &Ok(())), udp(&all, &Ok(()))].map(|it| it.status), [Status::Ok; 2]);
        let finding = udp(&all, &Err("Protocol not supported".to_owned()));
        assert_eq!(finding.status, Status::Warning);
        assert!(finding.message.contains("Protocol not supported"), "{finding:?}");
        assert!(finding.fix.unwrap().contains("modprobe nf_conntrack_netlink"));
    }

    #[test]
    fn engines_of_other_versions_are_named() {
        let engine = |name: &str, version: &str| (name.to_owned(), version.to_owned());
        assert_eq!(engines(&[]).status, Status::Ok);
        assert_eq!(engines(&[engine("shop", env!("CARGO_PKG_VERSION"))]).status, Status::Ok);
        let finding = engines(&[engine("shop", env!("CARGO_PKG_VERSION")), engine("bank", "0.0.1")]);
        assert_eq!(finding.status, Status::Warning);
        assert!(finding.message.contains("bank (0.0.1)") && !finding.message.contains("shop"), "{finding:?}");
    }
}

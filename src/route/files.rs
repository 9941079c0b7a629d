//! The private files of a pod, made from the host's: how its programs look names up.

use std::fmt::Write;
use std::net::Ipv4Addr;

use super::resolv::ResolvConf;
use super::zone::{Asker, Found, Zone};

/// How many search domains resolvers of every age take (resolv.conf(5)).
const MOST_DOMAINS: usize = 6;
/// Longer lines are not read whole by musl, nor by glibc before 2.26; with the line's end.
const LONGEST_LINE: usize = 254;

/// `/etc/hosts`: `localhost`, the pod's own name where the file is one pod's alone, then the host's lines without the
/// names that are ours. A `127.0.0.1 db` that was put there by hand would lead to the pod itself.
pub fn hosts(host_text: &str, zone: &Zone, pod: Option<Asker>) -> String {
    let mut text = String::from("127.0.0.1\tlocalhost\n::1\tlocalhost\n");
    if let Some(pod) = pod
        && let (Some(full), Some(name)) = (zone.full_name(pod.service), zone.name(pod.service))
    {
        let _ = writeln!(text, "{}\t{full} {name}", pod.address);
    }
    for line in host_text.lines().filter_map(|line| without_ours(line, zone)) {
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// `/etc/hosts` of one caller in network mode `names`: each callee at the loopback address that is this pair's, all its
/// spellings with it. The host's network is shared, so the workspace's names below `localhost` and the host's own are at
/// `127.0.0.1`, where the caller itself is too.
pub fn hosts_of_caller(host_text: &str, zone: &Zone, caller: usize, callees: &[(usize, Ipv4Addr)]) -> String {
    let mut text = hosts(host_text, zone, None);
    let mut line = |address: Ipv4Addr, name: &str| {
        let _ = writeln!(text, "{address}\t{name}");
    };
    zone.spellings(caller).iter().chain(&zone.on_loopback()).for_each(|name| line(Ipv4Addr::LOCALHOST, name));
    for &(callee, address) in callees {
        // One a line: some resolvers read no long ones.
        zone.spellings(callee).iter().for_each(|name| line(address, name));
    }
    text
}

/// A line of the host's file without the names that are ours; `None` if it had no others.
fn without_ours(line: &str, zone: &Zone) -> Option<String> {
    let body = line.split('#').next().unwrap_or_default();
    let mut words = body.split_whitespace();
    let Some(address) = words.next() else { return Some(line.to_owned()) };
    let names: Vec<&str> = words.clone().filter(|name| !is_ours(name, zone)).collect();
    match names.len() {
        0 => None,
        kept if kept == words.count() => Some(line.to_owned()),
        _ => Some(format!("{address}\t{} {}", names.join(" "), &line[body.len()..]).trim_end().to_owned()),
    }
}

/// Names that only could be ours stay with the host: nobody answers for them here.
fn is_ours(name: &str, zone: &Zone) -> bool {
    matches!(zone.lookup(name, None), Found::Service { .. } | Found::Address(_))
}

/// `/etc/resolv.conf`: our server alone, and our names first where a short one is asked for. The host's options stay,
/// `ndots` among them. `host_text` is empty where the host has no such file.
pub fn resolv_conf(host_text: &str, nameserver: Ipv4Addr, namespace: &str) -> String {
    let conf = ResolvConf::parse(host_text);
    let mut search = format!("search {namespace}.svc.cluster.local");
    for domain in conf.search.iter().take(MOST_DOMAINS - 1) {
        if search.len() + 1 + domain.len() < LONGEST_LINE {
            let _ = write!(search, " {domain}");
        }
    }
    let mut text = format!("nameserver {nameserver}\n{search}\n");
    if !conf.options.is_empty() {
        let _ = writeln!(text, "options {}", conf.options.join(" "));
    }
    text
}

/// `/etc/nsswitch.conf`: hosts come from the two files above. Modules that ask somebody else first (systemd-resolved,
/// mDNS, the host's own name) would not know our names; all other lines stay. A missing file is glibc's defaults.
pub fn nsswitch(host_text: Option<&str>) -> String {
    const HOSTS: &str = "hosts: files dns\n";
    let mut text = String::new();
    let mut is_told = false;
    for line in host_text.unwrap_or_default().lines() {
        if !line.trim_start().starts_with("hosts:") {
            text.push_str(line);
            text.push('\n');
        } else if !std::mem::replace(&mut is_told, true) {
            text.push_str(HOSTS);
        }
    }
    if !is_told {
        text.push_str(HOSTS);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::zone::{Entry, Origin};
    use super::*;

    const POD: Asker = Asker { service: 0, address: Ipv4Addr::new(10, 66, 0, 1) };
    const OWN: &str = "127.0.0.1\tlocalhost\n::1\tlocalhost\n10.66.0.1\tdb.default.svc.cluster.local db\n";

    fn zone() -> Zone {
        let origin = Origin {
            workspace: "shop".to_owned(),
            label: "shop".to_owned(),
            namespace: "default".to_owned(),
            host: Ipv4Addr::new(10, 66, 255, 1),
            front_door: Ipv4Addr::new(10, 66, 255, 2),
        };
        let db = Entry {
            name: "db".to_owned(),
            aliases: vec!["postgres".to_owned()],
            hostnames: vec!["db.example.com".to_owned()],
            address: Ipv4Addr::new(10, 66, 128, 1),
            pods: Vec::new(),
            ports: Vec::new(),
        };
        let mail = Entry {
            name: "mail".to_owned(),
            aliases: Vec::new(),
            hostnames: Vec::new(),
            address: Ipv4Addr::new(10, 66, 128, 2),
            pods: Vec::new(),
            ports: Vec::new(),
        };
        Zone::new(origin, vec![db, mail])
    }

    fn hosts_after_own(host_text: &str) -> String {
        let text = hosts(host_text, &zone(), Some(POD));
        text.strip_prefix(OWN).unwrap_or_else(|| panic!("{text}")).to_owned()
    }

    #[test]
    fn hosts_keep_what_is_the_hosts_own() {
        let text = "# The following lines\n\n127.0.1.1 laptop.lan laptop\n192.168.1.9\tnas # attic\n\
                    fe00::0 ip6-localnet\n10.1.1.1 foo.shop userdb.example.com\n";
        assert_eq!(hosts_after_own(text), text);
        assert_eq!(hosts_after_own(""), "");
        assert_eq!(hosts_after_own("10.0.0.1 a\r\n10.0.0.2 b"), "10.0.0.1 a\n10.0.0.2 b\n");
    }

    #[test]
    fn hosts_lose_the_names_that_are_ours() {
        let cases = [
            ("127.0.0.1 db\n", ""),
            ("127.0.0.1 localhost db kafka-1 postgres.shop # by hand\n", "127.0.0.1\tkafka-1 # by hand\n"),
            ("::1 localhost ip6-localhost ip6-loopback\n", "::1\tip6-localhost ip6-loopback\n"),
            ("10.9.9.9 DB.example.com api.example.com\n", "10.9.9.9\tapi.example.com\n"),
            ("127.0.0.1 web.shop.localhost\n192.168.65.2 host.docker.internal\n", ""),
        ];
        for (text, kept) in cases {
            assert_eq!(hosts_after_own(text), kept, "{text}");
        }
    }

    #[test]
    fn a_caller_has_each_callee_at_its_own_address() {
        let address = Ipv4Addr::new(127, 64, 0, 1);
        let text = hosts_of_caller("127.0.0.1 db\n10.0.0.1 nas\n", &zone(), 0, &[(1, address)]);
        let at = |name: &str| -> Vec<String> {
            let words = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
            words.filter(|words| words.contains(&name)).map(|words| words[0].to_owned()).collect()
        };
        let callee = zone().spellings(1);
        assert!(!callee.is_empty());
        for name in &callee {
            assert_eq!(at(name), ["127.64.0.1"], "{name} in {text}");
        }
        for name in zone().spellings(0) {
            assert_eq!(at(&name), ["127.0.0.1"], "{name} in {text}");
        }
        assert_eq!(
            (at("nas"), at("host.docker.internal")),
            (vec!["10.0.0.1".to_owned()], vec!["127.0.0.1".to_owned()])
        );
    }

    const SERVER: Ipv4Addr = Ipv4Addr::new(10, 66, 255, 53);

    #[test]
    fn resolv_conf_asks_us_and_keeps_the_rest() {
        let text = "nameserver 127.0.0.53\noptions edns0 trust-ad\noptions ndots:2\nsearch corp.example\n";
        let expected = "nameserver 10.66.255.53\nsearch default.svc.cluster.local corp.example\n\
                        options edns0 trust-ad ndots:2\n";
        assert_eq!(resolv_conf(text, SERVER, "default"), expected);
        let bare = "nameserver 10.66.255.53\nsearch staging.svc.cluster.local\n";
        assert_eq!(resolv_conf("", SERVER, "staging"), bare);
    }

    #[test]
    fn resolv_conf_stays_within_what_resolvers_read() {
        let many: String = (0..9).map(|n| format!(" d{n}.example")).collect();
        let text = resolv_conf(&format!("search{many}\n"), SERVER, "default");
        assert_eq!(text.lines().nth(1).unwrap().split(' ').count(), 1 + MOST_DOMAINS);
        let long = format!("search {}.example short.example\n", "x".repeat(230));
        let text = resolv_conf(&long, SERVER, "default");
        assert_eq!(text.lines().nth(1), Some("search default.svc.cluster.local short.example"));
    }

    #[test]
    fn nsswitch_looks_into_files_and_dns_only() {
        let cases = [
            (None, "hosts: files dns\n"),
            (Some("passwd: files systemd\n"), "passwd: files systemd\nhosts: files dns\n"),
            // Fedora's, and NixOS's.
            (
                Some("passwd: files\nhosts:      files myhostname resolve [!UNAVAIL=return] dns\nnetworks: files\n"),
                "passwd: files\nhosts: files dns\nnetworks: files\n",
            ),
            (
                Some("hosts:     mymachines resolve [!UNAVAIL=return] files myhostname dns\n# hosts: x\n hosts: dns"),
                "hosts: files dns\n# hosts: x\n",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(nsswitch(text), expected, "{text:?}");
        }
    }
}

//! What every kind of name leads to.

use super::*;

fn entry(name: &str, last: u8) -> Entry {
    Entry {
        name: name.to_owned(),
        aliases: Vec::new(),
        hostnames: Vec::new(),
        address: Ipv4Addr::new(10, 66, 128, last),
        pods: vec![Ipv4Addr::new(10, 66, 0, last)],
        ports: Vec::new(),
    }
}

fn origin() -> Origin {
    Origin {
        workspace: "shop".to_owned(),
        label: "shop".to_owned(),
        namespace: "default".to_owned(),
        host: Ipv4Addr::new(10, 66, 255, 1),
        front_door: Ipv4Addr::new(10, 66, 255, 2),
    }
}

fn port(name: &str, number: u16, protocol: Protocol) -> Port {
    Port { name: name.to_owned(), number, protocol }
}

fn zone() -> Zone {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let users = Entry {
        aliases: words(&["accounts", "Accounts-V2", "old.accounts"]),
        hostnames: words(&["users.internal.example.com", "*.users.example.com."]),
        ports: vec![port("http", 80, Protocol::Http), port("grpc", 9090, Protocol::Grpc)],
        ..entry("users", 1)
    };
    let dns = Entry {
        aliases: words(&["users", "accounts"]),
        ports: vec![port("dns", 53, Protocol::Udp), port("dns-tcp", 53, Protocol::Tcp)],
        ..entry("user_dns", 2)
    };
    Zone::new(origin(), vec![users, dns])
}

fn service(name: &str) -> Option<usize> {
    match zone().lookup(name, None) {
        Found::Service { service, address } => {
            assert_eq!(address, Ipv4Addr::new(10, 66, 128, u8::try_from(service).unwrap() + 1), "{name}");
            Some(service)
        }
        _ => None,
    }
}

fn missing(zone: &str) -> Found {
    Found::Missing { zone: zone.to_owned() }
}

#[test]
fn a_service_has_its_names_everywhere() {
    for name in ["users", "accounts", "accounts-v2", "old.accounts"] {
        for suffix in ["", ".shop", ".default", ".default.svc", ".default.svc.cluster.local"] {
            let full = format!("{name}{suffix}");
            assert_eq!(service(&full), Some(0), "{full}");
            assert_eq!(service(&format!("{}.", full.to_uppercase())), Some(0), "{full}");
        }
    }
    assert_eq!(service("user_dns.shop"), Some(1));
    assert_eq!(service("users.Internal.example.com"), Some(0));
}

#[test]
fn a_second_checkout_has_the_workspaces_name_and_its_own_label() {
    let origin = Origin { label: "shop-2".to_owned(), ..origin() };
    let zone = Zone::new(origin.clone(), vec![entry("users", 1)]);
    for name in ["users.shop", "users.shop-2", "users.default.svc", "users"] {
        assert!(matches!(zone.lookup(name, None), Found::Service { service: 0, .. }), "{name}");
    }
    assert_eq!(zone.lookup("gone.shop", None), missing("shop"));
    assert_eq!(zone.lookup("gone.shop-2", None), missing("shop-2"));
    // The first checkout's front door is not this one's.
    let at = |name: &str| zone.lookup(name, None);
    assert_eq!(at("web.shop-2.localhost"), Found::Address(origin.front_door));
    assert_eq!(at("web.shop.localhost"), Found::Address(Ipv4Addr::LOCALHOST));
    assert!(zone.on_loopback().contains(&"users.shop-2.localhost".to_owned()));
    let spellings = zone.spellings(0);
    assert!(["users.shop", "users.shop-2"].iter().all(|name| spellings.contains(&(*name).to_owned())), "{spellings:?}");
}

#[test]
fn a_wildcard_stands_for_what_is_below_it() {
    assert_eq!(service("eu.users.example.com"), Some(0));
    assert_eq!(service("a.b.users.example.com."), Some(0));
    assert_eq!(zone().lookup("users.example.com", None), Found::Elsewhere);
    assert_eq!(zone().lookup("xusers.example.com", None), Found::Elsewhere);
}

#[test]
fn a_pods_own_names_are_its_own_address() {
    let own = Ipv4Addr::new(10, 66, 0, 1);
    let asker = Some(Asker { service: 0, address: own });
    for name in ["users", "accounts.default.svc", "users.internal.example.com"] {
        assert_eq!(zone().lookup(name, asker), Found::Service { service: 0, address: own }, "{name}");
    }
    let other = Found::Service { service: 1, address: Ipv4Addr::new(10, 66, 128, 2) };
    assert_eq!(zone().lookup("user_dns", asker), other);
}

#[test]
fn localhost_is_the_loopback_or_the_front_door() {
    let found = |name: &str| zone().lookup(name, None);
    for name in ["web.shop.localhost", "SHOP.localhost.", "users.shop.localhost", "a.b.shop.localhost"] {
        assert_eq!(found(name), Found::Address(origin().front_door), "{name}");
    }
    for name in ["localhost", "users.localhost", "web.other.localhost", "webshop.localhost", "LocalHost."] {
        assert_eq!(found(name), Found::Address(Ipv4Addr::LOCALHOST), "{name}");
    }
    assert_eq!(found("notlocalhost"), Found::Elsewhere);
}

#[test]
fn the_host_has_two_names() {
    for name in ["host.nagaya.internal", "Host.Docker.Internal."] {
        assert_eq!(zone().lookup(name, None), Found::Address(origin().host));
    }
    assert_eq!(zone().lookup("gateway.docker.internal", None), Found::Elsewhere);
}

#[test]
fn what_nobody_else_can_know_is_missing() {
    let cases = [
        ("userz.shop", missing("shop")),
        ("userz.default.svc.cluster.local", missing("cluster.local")),
        ("users.other.svc.cluster.local", missing("cluster.local")),
        ("userz.default.svc", missing("default.svc")),
        ("guest.nagaya.internal", missing("nagaya.internal")),
        ("cluster.local", Found::Empty),
        ("svc.cluster.local.", Found::Empty),
        ("default.svc.cluster.local", Found::Empty),
        ("default.svc", Found::Empty),
        ("nagaya.internal", Found::Empty),
    ];
    for (name, expected) in cases {
        assert_eq!(zone().lookup(name, None), expected, "{name}");
    }
}

#[test]
fn the_rest_is_elsewhere() {
    let names = ["", ".", "printer", "shop", "www.users.shop", "x.default", "example.com", "mycluster.local", "svc"];
    for name in names {
        assert_eq!(zone().lookup(name, None), Found::Elsewhere, "{name}");
    }
}

#[test]
fn a_port_is_found_by_its_name_and_transport() {
    let found = |name: &str| zone().lookup(name, None);
    let http = Found::Port { service: 0, number: 80 };
    for name in ["_http._tcp.users", "_HTTP._tcp.users.default.svc.cluster.local.", "_http._tcp.accounts.shop"] {
        assert_eq!(found(name), http, "{name}");
    }
    assert_eq!(found("_http._tcp.users.internal.example.com"), http);
    assert_eq!(found("_grpc._tcp.users"), Found::Port { service: 0, number: 9090 });
    assert_eq!(found("_dns._udp.user_dns"), Found::Port { service: 1, number: 53 });
    assert_eq!(found("_dns._tcp.user_dns"), missing("user_dns"));
    assert_eq!(found("_tcp.users"), Found::Empty);
    assert_eq!(found("_udp.users"), missing("users"));
    assert_eq!(found("_grpc_config.users"), missing("users"));
    assert_eq!(found("_a._http._tcp.users"), missing("users"));
    assert_eq!(found("_http._tcp.example.com"), Found::Elsewhere);
}

#[test]
fn addresses_have_names() {
    let users = Some("users.default.svc.cluster.local".to_owned());
    assert_eq!(zone().reverse(Ipv4Addr::new(10, 66, 128, 1)), users);
    assert_eq!(zone().reverse(Ipv4Addr::new(10, 66, 0, 1)), users);
    assert_eq!(zone().reverse(origin().host).as_deref(), Some("host.nagaya.internal"));
    assert_eq!(zone().reverse(Ipv4Addr::LOCALHOST).as_deref(), Some("localhost"));
    assert_eq!(zone().reverse(Ipv4Addr::new(10, 66, 128, 9)), None);
}

#[test]
fn a_thousand_services_are_found() {
    let address = |n: u16| Ipv4Addr::from(0x0a42_8000 + u32::from(n));
    let services = (0..1000).map(|n| Entry { address: address(n), ..entry(&format!("service-{n}"), 1) });
    let zone = Zone::new(origin(), services.collect());
    for n in 0..1000 {
        let found = Found::Service { service: usize::from(n), address: address(n) };
        assert_eq!(zone.lookup(&format!("service-{n}.default.svc.cluster.local"), None), found);
    }
    assert_eq!(zone.labels.len(), 1000);
}

#[test]
fn all_spellings_of_a_service_lead_to_it() {
    let names = zone().spellings(0);
    for name in ["users", "accounts.shop", "old.accounts.default.svc.cluster.local", "users.internal.example.com"] {
        assert!(names.iter().any(|it| it == name), "no {name} in {names:?}");
    }
    assert!(names.iter().all(|name| service(name) == Some(0)), "{names:?}");
    // Its aliases are another's names.
    let suffixes = ["", ".shop", ".default", ".default.svc", ".default.svc.cluster.local"];
    assert_eq!(zone().spellings(1), suffixes.map(|suffix| format!("user_dns{suffix}")));
    assert_eq!(zone().spellings(2), [""; 0]);
}

#[test]
fn a_host_is_the_service_of_whichever_name() {
    let table =
        crate::route::Table { zone: std::sync::Arc::new(zone()), ..crate::route::tests::table(&["users", "web"]) };
    for name in
        ["users", "users:80", "USERS.shop.", "users.default.svc.cluster.local:80", "a.users.example.com", "accounts"]
    {
        assert_eq!(table.named_by_host(name), Some("users"), "{name}");
    }
    assert_eq!(table.named_by_host("web.shop.localhost:4400"), Some("web"));
    for name in ["", "localhost:80", "127.0.0.1", "example.com", "nobody.shop.localhost", "host.nagaya.internal"] {
        assert_eq!(table.named_by_host(name), None, "{name}");
    }
    let machines = ["127.0.0.1:8081", "[::1]:80", "[::1]", "10.66.1.2", "LocalHost:1"];
    assert!(machines.iter().all(|host| crate::route::is_machine(host)));
    assert!(!["users", "a.localhost", "", "1.2.3.4.example.com"].iter().any(|host| crate::route::is_machine(host)));
}

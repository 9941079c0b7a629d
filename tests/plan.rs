//! Plans: who calls whom by which name, and where every port is.

use nagaya::model::{Egress, NetworkMode, Protocol, Workspace};
use nagaya::plan::{Location, PlannedPublish, clashes, lints, references, slots};

use crate::supervise::fixture::plan_of;
use crate::support::manifest::good;

/// The references of a workspace as `from -> to port (variable)`.
fn calls(workspace: &Workspace) -> Vec<String> {
    let name = |place: usize| workspace.service(place).name.to_string();
    let shown = references(workspace).into_iter().map(|it| {
        let port = it.port.map(|port| workspace.service(it.to).ports[port].number.to_string());
        format!("{} -> {} {} ({})", name(it.from), name(it.to), port.unwrap_or_default(), it.via)
    });
    shown.collect()
}

#[test]
fn every_name_that_production_knows_is_a_reference() {
    let named = |host: &str| {
        let workspace = good(&format!(
            "name: shop
namespace: team
services:
  a: {{ command: x, environment: {{ U: 'http://{host}:80/x' }} }}
  users: {{ command: x, ports: {{ http: 80 }}, aliases: accounts, hostnames: [api.example.com, '*.api.example.com'] }}
  deep: {{ command: x, ports: {{ http: 80 }}, hostnames: ['*.v1.api.example.com'] }}
"
        ));
        calls(&workspace).first().cloned().unwrap_or_default()
    };
    let users = "a -> users 80 (U)";
    for host in [
        "users",
        "USERS",
        "accounts",
        "users.shop",
        "accounts.shop",
        "users.team",
        "users.team.svc",
        "users.team.svc.cluster.local",
        "users.team.svc.cluster.local.",
        "api.example.com",
        "API.example.com",
        "x.api.example.com",
        "x.y.api.example.com",
    ] {
        assert_eq!(named(host), users, "{host}");
    }
    assert_eq!(named("x.v1.api.example.com"), "a -> deep 80 (U)");
    for host in ["users.default", "users.other.svc", "example.com", "web.users.shop", "users.shop.svc", "localhost"] {
        assert_eq!(named(host), "", "{host}");
    }
}

#[test]
fn a_probe_that_calls_another_service_is_its_caller() {
    let workspace = good(
        "services:
  a: { command: x, readiness: { exec: 'curl ${b.url}' } }
  b: { command: x, ports: { http: 80 } }
",
    );
    assert_eq!(calls(&workspace), ["a -> b 80 (command)"]);
    let plan = plan_of(&workspace);
    let edge = plan.edges[0].listen.unwrap().port();
    assert!(format!("{:?}", plan.services[0].readiness).contains(&format!("curl http://127.0.0.1:{edge}")));
}

#[test]
fn names_that_lead_nowhere_are_a_matter_of_the_mode_env() {
    let codes = |auto: NetworkMode, network: &str| {
        let workspace = good(&format!(
            "services: {{ a: {{ command: x, network: {network}, environment: {{ U: 'b.default.svc:80' }} }}, b: {{ command: x, ports: 80 }} }}"
        ));
        lints(&workspace, auto).into_iter().map(|lint| lint.code).collect::<Vec<_>>()
    };
    assert_eq!(codes(NetworkMode::Env, "auto"), ["unresolvable_name"]);
    assert_eq!(codes(NetworkMode::Pod, "auto"), [""; 0]);
    assert_eq!(codes(NetworkMode::Names, "auto"), [""; 0]);
    assert_eq!(codes(NetworkMode::Pod, "env"), ["unresolvable_name"]);
}

#[test]
fn a_denied_egress_that_nothing_enforces_is_told() {
    let workspace = good("services: { a: { command: x, egress: deny } }");
    let codes = |auto| lints(&workspace, auto).into_iter().map(|lint| lint.code).collect::<Vec<_>>();
    assert_eq!(codes(NetworkMode::Env), ["not_enforced"]);
    assert_eq!(codes(NetworkMode::Pod), [""; 0]);
}

#[test]
fn a_strict_workspace_that_nothing_enforces_is_told_once() {
    let workspace = good("strict: true\nservices: { a: { command: x }, b: { command: x } }");
    let codes = |auto| lints(&workspace, auto).into_iter().map(|lint| lint.code).collect::<Vec<_>>();
    assert_eq!([NetworkMode::Env, NetworkMode::Names].map(codes), [["not_enforced"]; 2]);
    assert_eq!(codes(NetworkMode::Pod), [""; 0]);
    let lax = good("services: { a: { command: x } }");
    assert!(lints(&lax, NetworkMode::Env).is_empty());
}

#[test]
fn a_place_outside_that_is_led_here_by_its_own_name_is_told() {
    let said = |external: &str, hostname: &str| {
        let workspace = good(&format!("services: {{ pay: {{ external: '{external}', hostnames: '{hostname}' }} }}"));
        lints(&workspace, NetworkMode::Pod)
    };
    for hostname in ["api.pay.com", "*.pay.com"] {
        let [lint] = said("https://api.pay.com/v1", hostname).try_into().unwrap();
        assert_eq!((lint.code, lint.needle.as_str()), ("tls_in_tls", hostname));
        assert!(lint.hint.contains("http://pay"), "{}", lint.hint);
    }
    assert!(said("grpcs://api.pay.com", "api.pay.com")[0].hint.contains("grpc://pay"));
    // In the clear nothing is in the way, and another name is none of its own.
    assert_eq!(said("http://api.pay.com", "api.pay.com"), []);
    assert_eq!(said("https://api.pay.com", "pay.internal.example.com"), []);
}

#[test]
fn a_service_elsewhere_is_dialled_there_and_has_no_number_of_this_machine() {
    let workspace = good(
        "services:
  a: { command: x, depends_on: pay, environment: { U: '${pay.url}', A: '${pay.metrics.addr}' } }
  pay: { external: 'https://pay.example.com:8443/v1', ports: { http: 80, metrics: 9100 } }
",
    );
    let plan = plan_of(&workspace);
    let pay = &plan.services[1];
    let outside = |port| Location::Elsewhere { host: "pay.example.com".into(), port, tls: true };
    let locations: Vec<_> = pay.ports.iter().map(|port| port.location.clone()).collect();
    assert_eq!(locations, [outside(8443), outside(9100)]);
    assert!(slots(&workspace, NetworkMode::Env).iter().all(|slot| !slot.key.starts_with("pay/")));
    let resolved = plan.services[0].environment.resolve();
    let (http, metrics) = (plan.edges[0].listen.unwrap().port(), plan.edges[1].listen.unwrap().port());
    assert_eq!(resolved["U"], format!("http://127.0.0.1:{http}/v1"));
    assert_eq!(resolved["PAY_URL"], format!("http://127.0.0.1:{http}/v1"));
    assert_eq!(resolved["PAY_HOST"], "127.0.0.1");
    assert_eq!(resolved["A"], format!("127.0.0.1:{metrics}"));
    // It has no variables of its own, so none that the shell could shadow.
    assert!(pay.environment.resolve().is_empty() && pay.argv().is_empty());
}

#[test]
fn the_engine_listens_on_what_is_published_unless_the_program_does() {
    let workspace = good(
        "services:
  a: { command: x, ports: { http: 80, admin: 81 }, listen: { admin: 8081 }, publish: ['8080:80', '8081:81', 9229, '9230:9229'] }
  b: { external: 'tcp://db.example.com:5432', publish: [5432, 6000] }
",
    );
    let plan = plan_of(&workspace);
    let [a, b] = plan.services.as_slice() else { panic!() };
    let undeclared = &a.undeclared[0];
    assert_eq!(
        (undeclared.name.as_str(), undeclared.protocol, &undeclared.location),
        ("9229", Protocol::Tcp, &Location::Loopback(9229))
    );
    assert_eq!((a.publish.len(), a.undeclared.len()), (4, 1));
    let listened: Vec<_> = a.published().collect();
    assert_eq!(
        listened,
        [PlannedPublish { host: 8080, port: 0, chosen: true }, PlannedPublish { host: 9230, port: 2, chosen: true }]
    );
    assert_eq!(b.published().map(|it| it.host).collect::<Vec<_>>(), [5432, 6000]);
    let locations: Vec<String> = b.all_ports().map(|port| port.location.to_string()).collect();
    assert_eq!(locations, ["db.example.com:5432", "db.example.com:6000"]);
    // Nobody else of the workspace is given these numbers.
    let reserved =
        |number: u16| slots(&workspace, NetworkMode::Env).iter().any(|slot| slot.key == format!("publish/{number}"));
    assert!([8080, 8081, 9229, 9230, 5432, 6000].into_iter().all(reserved));
}

#[test]
fn a_server_outside_is_called_by_its_own_name() {
    let host = |name: &str, port, tls| Location::Elsewhere { host: name.into(), port, tls }.host();
    assert_eq!(host("a.example.com", 80, false).as_deref(), Some("a.example.com"));
    assert_eq!(host("a.example.com", 443, true).as_deref(), Some("a.example.com"));
    assert_eq!(host("a.example.com", 443, false).as_deref(), Some("a.example.com:443"));
    assert_eq!(host("::1", 8080, false).as_deref(), Some("[::1]:8080"));
    assert_eq!(Location::Loopback(80).host(), None);
}

#[test]
fn what_the_manifest_says_of_the_network_is_in_the_plan() {
    let plan = plan_of(&good(
        "namespace: team
strict: true
services: { a: { command: x, egress: deny, user: '1000', aliases: b, hostnames: a.example.com } }",
    ));
    assert_eq!((plan.namespace.as_str(), plan.strict), ("team", true));
    let a = &plan.services[0];
    assert_eq!((a.network, a.egress), (NetworkMode::Env, Egress::Deny));
    assert_eq!(a.user.as_ref().map(ToString::to_string).as_deref(), Some("1000"));
    assert_eq!((a.aliases[0].as_str(), a.hostnames[0].as_str()), ("b", "a.example.com"));
}

#[test]
fn in_mode_names_each_pair_has_an_address_with_productions_ports() {
    let workspace = good(
        "network: names
services:
  a: { command: x, depends_on: [users, dns], environment: { U: '${users.url}', G: '${users.grpc.addr}' } }
  b: { command: x, environment: { U: 'http://users:8080' } }
  users: { command: x, ports: { http: 8080, grpc: 9090 } }
  dns: { command: x, ports: { names: { port: 53, protocol: udp } } }
",
    );
    let plan = plan_of(&workspace);
    let listen: Vec<_> = plan.edges.iter().map(|edge| (edge.from, edge.to, edge.listen.unwrap())).collect();
    let [(0, 2, http), (0, 2, grpc), (1, 2, other)] = listen.as_slice() else { panic!("{listen:?}") };
    assert_eq!((http.port(), grpc.port(), other.port()), (8080, 9090, 8080));
    assert!(http.ip() == grpc.ip() && http.ip() != other.ip(), "{listen:?}");
    assert!(listen.iter().all(|(_, _, at)| at.ip().octets()[..2] == [127, 64]), "{listen:?}");
    let resolved = plan.services[0].environment.resolve();
    assert_eq!((resolved["U"], resolved["G"]), ("http://users:8080", "users:9090"));
    assert_eq!((resolved["USERS_HOST"], resolved["USERS_PORT"]), ("users", "8080"));
    // The program has a number of its own, which is not production's.
    let own = plan.services[2].environment.resolve()["PORT"].to_owned();
    assert!(own != "8080" && plan.services[2].ports[0].location == Location::Loopback(own.parse().unwrap()));
    // No number that is called is given to a program.
    let keys: Vec<String> = slots(&workspace, NetworkMode::Env).into_iter().map(|slot| slot.key).collect();
    for key in ["a@users", "b@users", "called/8080", "called/9090", "users/http"] {
        assert_eq!(keys.iter().filter(|it| *it == key).count(), 1, "{key} in {keys:?}");
    }
    assert!(keys.iter().all(|key| !key.contains("->")), "{keys:?}");
}

#[test]
fn what_mode_names_cannot_give_is_told() {
    let said = |services: &str, network: &str, lowest: u16| {
        let workspace = good(&format!("network: {network}\nservices: {services}"));
        clashes(&workspace, NetworkMode::Env, lowest).into_iter().map(|clash| clash.message).collect::<Vec<_>>()
    };
    let low = "{ a: { command: x, depends_on: b }, b: { command: x, ports: 80 } }";
    assert_eq!(said(low, "names", 1), [""; 0]);
    assert!(said(low, "names", 1024)[0].contains("a calls b at port 80"));
    assert_eq!((said(low, "env", 1024), said(low, "pod", 1024)), (vec![], vec![]));
    // Whoever it is that insists, and unless that is in a pod.
    let insists = |network: &str| {
        format!(
            "{{ a: {{ command: x, depends_on: b }}, b: {{ command: x, ports: 8080 }}, \
             c: {{ command: x, ports: 8080, listen: 8080, network: {network} }} }}"
        )
    };
    assert!(said(&insists("env"), "names", 1024)[0].contains("c insists on that port"));
    assert_eq!(said(&insists("pod"), "names", 1024), [""; 0]);
    // Who is not called at the number is in nobody's way.
    assert_eq!(said("{ a: { command: x, ports: 8080, listen: 8080 } }", "names", 1024), [""; 0]);
    let elsewhere = "{ a: { command: x, depends_on: b, ports: 5432 }, b: { external: 'tcp://db.example.com:5432' } }";
    assert_eq!(said(elsewhere, "names", 1024), [""; 0]);
}

//! Keys about the network: what they mean, and what a bad one is told.

use nagaya::dtab::Identifier;
use nagaya::model::{Account, Egress, NetworkMode, Protocol, Publish, Readiness, Service, ServicePort, User};

use crate::support::manifest::{Disk, bad, good, shown};

#[test]
fn every_key_of_the_network_is_read() {
    let workspace = good(
        "name: shop
network: env
namespace: team-a
strict: true
services:
  users:
    command: run
    network: env
    ports: { http: 8080, admin: 9090 }
    aliases: [accounts, user_db]
    hostnames: [Users.example.com., '*.users.example.com']
    publish: [8080, '9100:9090', 9229]
    egress: deny
    user: 1000:staff
  stripe:
    external: https://api.stripe.com/v1
    aliases: payments
    hostnames: api.stripe.com
    profiles: pay
",
    );
    assert_eq!((workspace.network, workspace.strict), (Some(NetworkMode::Env), true));
    assert_eq!(workspace.namespace.as_str(), "team-a");
    let users = &workspace.services["users"];
    assert_eq!(users.network, Some(NetworkMode::Env));
    assert_eq!(users.aliases.iter().map(ToString::to_string).collect::<Vec<_>>(), ["accounts", "user_db"]);
    let hosts: Vec<&str> = users.hostnames.iter().map(|host| host.as_str()).collect();
    assert_eq!(hosts, ["users.example.com", "*.users.example.com"]);
    let publish = [
        Publish { host: 8080, port: ServicePort::Declared(0) },
        Publish { host: 9100, port: ServicePort::Declared(1) },
        Publish { host: 9229, port: ServicePort::Number(9229) },
    ];
    assert_eq!(users.publish, publish);
    assert_eq!(users.egress, Egress::Deny);
    let staff = Some(Account::Name("staff".into()));
    assert_eq!(users.user, Some(User { account: Account::Id(1000), group: staff }));
    let stripe = &workspace.services["stripe"];
    assert_eq!(stripe.external().unwrap().to_string(), "https://api.stripe.com/v1");
    assert_eq!((stripe.command(), &stripe.readiness), (None, &Readiness::Started));
    assert_eq!(stripe.profiles, ["pay"]);
}

#[test]
fn without_them_all_is_as_usual() {
    let workspace = good("network: auto\nservices: { a: { command: x, network: auto } }");
    assert_eq!((workspace.network, workspace.strict, workspace.namespace.as_str()), (None, false, "default"));
    let a = &workspace.services["a"];
    assert_eq!((a.network, a.egress, &a.user), (None, Egress::Allow, &None));
    assert!(a.aliases.is_empty() && a.hostnames.is_empty() && a.publish.is_empty());
}

/// The ports of a service that lives elsewhere, as `name:number protocol`.
fn ports(keys: &str) -> Vec<String> {
    let workspace = good(&format!("services: {{ a: {{ {keys} }} }}"));
    let shown = |service: &Service| {
        service.ports.iter().map(|port| format!("{}:{} {}", port.name, port.number, port.protocol)).collect()
    };
    shown(&workspace.services["a"])
}

#[test]
fn a_service_elsewhere_has_the_port_of_its_url_or_those_that_are_declared() {
    assert_eq!(ports("external: 'https://api.stripe.com'"), ["http:443 http"]);
    assert_eq!(ports("external: 'tcp://db.example.com:5432'"), ["tcp:5432 tcp"]);
    assert_eq!(ports("external: 'grpc://pay:50051'"), ["grpc:50051 grpc"]);
    assert_eq!(ports("external: 'https://x', ports: { http: 80 }"), ["http:80 http"]);
    assert_eq!(ports("external: 'tcp://x:1', ports: 8080"), [format!("main:8080 {}", Protocol::Detect)]);
    // Whoever listens on PostgreSQL's number speaks first.
    assert_eq!(ports("external: 'tcp://x:1', ports: 5432"), ["main:5432 tcp"]);
}

#[test]
fn what_is_included_does_not_decide_about_the_network() {
    let disk = Disk::default()
        .with("nagaya.yaml", "include: b.yaml\nservices: { a: { command: x } }")
        .with("b.yaml", "network: pod\nnamespace: other\nstrict: true\nservices: { b: { command: x } }");
    let (workspace, problems) = disk.load();
    let workspace = workspace.unwrap();
    assert_eq!((workspace.network, workspace.strict, workspace.namespace.as_str()), (None, false, "default"));
    let ignored =
        |key: &str| format!("ignored_in_include `{key}` of an included manifest is ignored; the main one decides");
    assert_eq!(
        shown(&problems),
        [
            format!("1:10 {}", ignored("network")),
            format!("2:12 {}", ignored("namespace")),
            format!("3:9 {}", ignored("strict")),
        ]
    );
}

#[test]
fn every_mode_is_taken_everywhere() {
    for (word, mode) in [
        ("auto", None),
        ("pod", Some(NetworkMode::Pod)),
        ("names", Some(NetworkMode::Names)),
        ("env", Some(NetworkMode::Env)),
    ] {
        let workspace = good(&format!("network: {word}\nservices: {{ a: {{ command: x, network: {word} }} }}"));
        assert_eq!((workspace.network, workspace.service(0).network), (mode, mode), "{word}");
    }
}

#[test]
fn each_bad_value_is_told_plainly() {
    let cases = [
        ("aliases: [Users]", "4:15 bad_name `Users` is no service name: `U` cannot stand in a name | `users` would do"),
        (
            "aliases: localhost",
            "4:14 bad_name a service cannot be called `localhost` | that name means something else everywhere",
        ),
        (
            "hostnames: users",
            "4:16 bad_host_name `users` is no full host name: it has no dot, so it is no full host name | a name without dots is written under `aliases`",
        ),
        (
            "hostnames: ['https://x.y']",
            "4:17 bad_host_name `https://x.y` is no full host name: `:` cannot stand in a host name | write the name alone, without scheme, port and path",
        ),
        (
            "hostnames: [a.localhost]",
            "4:17 bad_host_name `a.localhost` cannot be a service's: what ends with `localhost` means this machine",
        ),
        (
            "hostnames: [host.docker.internal]",
            "4:17 bad_host_name `host.docker.internal` cannot be a service's: what ends with `docker.internal` means this machine",
        ),
        (
            "publish: web",
            "4:14 bad_publish `web` is neither a port nor HOST:PORT | `8081:8080` lets port 8080 be called at 127.0.0.1:8081",
        ),
        (
            "publish: ['0.0.0.0:8081:8080']",
            "4:15 bad_publish `0.0.0.0:8081:8080` is neither a port nor HOST:PORT | write `8081:8080`; it is published on this machine's loopback alone",
        ),
        (
            "publish: 0",
            "4:14 bad_publish `0` is neither a port nor HOST:PORT | `8081:8080` lets port 8080 be called at 127.0.0.1:8081",
        ),
        (
            "publish: [9229, '9229:80']",
            "4:21 port_clash `a` has port 9229 of this machine twice | publish one of them under another number: `9230:…`",
        ),
        ("egress: no", "4:13 unknown_word `no` is none of `allow`, `deny`"),
        (
            "user: 'me and you'",
            "4:11 bad_user `me and you` is no account | write a name or a number, and after a `:` a group: `app:staff`",
        ),
    ];
    for (keys, problem) in cases {
        assert_eq!(bad(&format!("services:\n  a:\n    command: x\n    {keys}\n")), [problem], "{keys}");
    }
    assert_eq!(
        bad("namespace: Team_A\nstrict: maybe\nservices: { a: { command: x } }"),
        [
            "1:12 bad_name `Team_A` is no namespace: `T` cannot stand in a name | `team-a` would do",
            "2:9 wrong_type expected `true` or `false`, found `maybe`",
        ]
    );
}

#[test]
fn a_bad_url_is_told_without_its_password() {
    let cases = [
        (
            "api.stripe.com",
            "1:28 bad_url no URL of a service: it does not begin with a scheme | `https://` is usual; `tcp://HOST:PORT` takes everything",
        ),
        (
            "htps://x",
            "1:28 bad_url no URL of a service: `htps` is no scheme that can be called here | did you mean `https`?",
        ),
        (
            "https://me:hunter2@x",
            "1:28 bad_url no URL of a service: an account does not belong into it | callers send their own credentials; leave out what stands before the `@`",
        ),
        (
            "tcp://db",
            "1:28 bad_url no URL of a service: `tcp://` needs a port | write it behind the host: `tcp://db:5432`",
        ),
        ("https://x/?key=hunter2", "1:28 bad_url no URL of a service: it ends with the path, without `?` and `#`"),
    ];
    for (url, problem) in cases {
        assert_eq!(bad(&format!("services: {{ a: {{ external: '{url}' }} }}")), [problem], "{url}");
    }
    // What else is wrong with it is told all the same.
    assert_eq!(bad("services:\n  a:\n    external: [x]\n    command: y\n").len(), 2);
}

#[test]
fn a_service_elsewhere_has_nothing_of_a_process() {
    let text = "services:
  stripe:
    external: https://api.stripe.com
    command: run
    working_dir: web
    setup: [make]
    listen: 80
    depends_on: other
    environment: { A: b }
    readiness: /healthz
    restart: always
    stop_signal: SIGINT
    stop_grace_period: 1s
    lazy: true
    logs: { max_files: 1 }
    egress: deny
    network: env
    user: me
  other: { command: x }
";
    let keys = [
        "command",
        "working_dir",
        "setup",
        "listen",
        "depends_on",
        "environment",
        "readiness",
        "restart",
        "stop_signal",
        "stop_grace_period",
        "lazy",
        "logs",
        "egress",
        "network",
        "user",
    ];
    let (_, problems) = Disk::default().with("nagaya.yaml", text).load();
    let lines = shown(&problems);
    assert_eq!(lines.len(), keys.len(), "{lines:#?}");
    for ((line, key), number) in lines.iter().zip(keys).zip(4..) {
        let told = format!(
            "external_process `stripe` lives elsewhere, so there is no process to which `{key}` could apply | remove \
             `{key}`, or remove `external` to run it here"
        );
        assert!(line.starts_with(&format!("{number}:")) && line.ends_with(&told), "{line}");
    }
    let (related, _) = problems.list[0].related.unwrap();
    assert_eq!(problems.sources.slice(related), "https://api.stripe.com");
}

#[test]
fn nobody_waits_for_the_end_or_the_log_of_what_lives_elsewhere() {
    let text = "services:\n  a: { command: x, depends_on: { b: completed } }\n  b: { external: 'http://x' }\n";
    assert_eq!(
        bad(text),
        [
            "2:3 external_process `a` waits until `b` is completed, but that lives elsewhere | it can only be waited for as `service_healthy`"
        ]
    );
}

#[test]
fn a_name_means_one_service_and_both_places_are_shown() {
    let text = "name: shop
services:
  users: { command: x, aliases: [accounts, cart], hostnames: [api.example.com] }
  cart: { command: x, aliases: [accounts, cart], hostnames: [api.example.com, users.shop, accounts.default.svc] }
";
    let (_, problems) = Disk::default().with("nagaya.yaml", text).load();
    let hint = "a name means one service: take another one, or remove it in one place";
    assert_eq!(
        shown(&problems),
        [
            format!("3:44 duplicate_name the name `cart` means `cart` already | {hint}"),
            format!("4:33 duplicate_name the name `accounts` means `users` already | {hint}"),
            format!("4:43 duplicate_name the name `cart` means `cart` already | {hint}"),
            format!("4:62 duplicate_name the name `api.example.com` means `users` already | {hint}"),
            format!("4:79 duplicate_name the name `users.shop` means `users` already | {hint}"),
            format!("4:91 duplicate_name the name `accounts.default.svc` means `users` already | {hint}"),
        ]
    );
    let first: Vec<String> = problems
        .list
        .iter()
        .map(|problem| problems.sources.position(problem.related.unwrap().0))
        .map(|at| format!("{}:{}", at.line, at.column))
        .collect();
    assert_eq!(first, ["4:3", "3:34", "4:3", "3:63", "3:3", "3:34"]);
}

#[test]
fn names_that_mean_something_else_are_no_names_of_services() {
    for name in ["localhost", "host", "self"] {
        let problem =
            format!("1:13 bad_name a service cannot be called `{name}` | that name means something else everywhere");
        assert_eq!(bad(&format!("services: {{ {name}: {{ command: x }} }}")), [problem]);
    }
}

#[test]
fn a_port_of_this_machine_belongs_to_one_service() {
    let clash = |a: &str, b: &str| {
        bad(&format!("services:\n  a: {{ command: x, ports: 80, {a} }}\n  b: {{ command: x, ports: 80, {b} }}\n"))
    };
    assert_eq!(
        clash("publish: 8080", "publish: '8080:80'"),
        [
            "3:40 port_clash `a` and `b` are both published on port 8080 of this machine | publish one of them under another number: `8081:…`"
        ]
    );
    assert_eq!(
        clash("listen: 8080", "publish: '8080:80'"),
        [
            "3:40 port_clash `b` is published on port 8080 of this machine, where `a` listens | publish one of them under another number: `8081:…`"
        ]
    );
    assert_eq!(
        clash("listen: 8080", "listen: 8081, publish: '8081:9'"),
        [
            "3:54 port_clash the program itself listens on port 8081 of this machine (`listen`) | publish it under another number"
        ]
    );
    // The program is there itself: that is what was asked for.
    good("services: { a: { command: x, ports: 80, listen: 8080, publish: '8080:80' } }");
    good("services: { a: { command: x, ports: 80, listen: 8080, publish: 8080 } }");
    assert_eq!(
        bad("services: { a: { command: x, ports: { udp: 53 }, publish: 53 } }"),
        ["1:59 udp_published port 53 is udp, and only streams can be published"]
    );
}

#[test]
fn the_schema_has_them_as_built() {
    let schema = nagaya::manifest::schema();
    let described = |record: &str, key: &str| {
        let text = schema["$defs"][record]["properties"][key]["description"].as_str();
        text.unwrap_or_else(|| panic!("{record} has no `{key}`")).to_owned()
    };
    let top = ["network", "namespace", "strict", "budget"].map(|key| described("RawWorkspace", key));
    let own = ["network", "aliases", "hostnames", "publish", "egress", "user", "external"];
    for text in top.into_iter().chain(own.map(|key| described("RawService", key))) {
        assert!(!text.contains("not built"), "{text}");
    }
    assert!(described("RawWorkspace", "telemetry").contains("not built"));
}

#[test]
fn identifiers_are_read_in_every_form() {
    let of = |keys: &str| good(&format!("{keys}\nservices: {{ a: {{ command: x }} }}")).identifiers;
    assert_eq!(of(""), []);
    let grpc = || Identifier::HeaderPath { header: ":path".to_owned(), segments: Some(1) };
    assert_eq!(of("identifier: grpc"), [grpc()]);
    let all = of(
        "identifier: [l5d-name, {header: x-name}, {path: 2, consume: true}, method-and-host, host, {by: grpc}, {static: /a/b}]",
    );
    let header = |name: &str| Identifier::Header { header: name.to_owned() };
    let expected = [
        header("l5d-name"),
        header("x-name"),
        Identifier::UrlPath { segments: 2, consume: true },
        Identifier::MethodAndHost { with_uri: false },
        Identifier::HeaderToken { header: "host".to_owned() },
        grpc(),
        Identifier::Static("/a/b".parse().unwrap()),
    ];
    assert_eq!(all, expected);
    let wrong = |identifier: &str| bad(&format!("identifier: {identifier}\nservices: {{ a: {{ command: x }} }}"));
    assert_eq!(wrong("{}"), ["1:13 bad_identifier an identifier needs one of `by`, `header`, `path` and `static`"]);
    assert_eq!(
        wrong("{path: 1, header: x}"),
        ["1:13 bad_identifier an identifier has one of `by`, `header`, `path` and `static` | list several"]
    );
    assert_eq!(wrong("{path: 0}"), ["1:13 bad_identifier a name has one segment of the path at least"]);
    assert_eq!(wrong("{header: x, consume: true}"), ["1:13 bad_identifier `consume` belongs to `path`"]);
    assert_eq!(wrong("{static: a}").len(), 1);
    assert_eq!(wrong("hosts").len(), 1);
}

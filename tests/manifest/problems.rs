//! What a bad manifest is told.

use crate::support::manifest::{Disk, bad, shown};

/// One service `a` with the given keys, so that tables stay short.
pub fn service(keys: &str) -> Vec<String> {
    bad(&format!("services:\n  a:\n    command: x\n    {}\n", keys.replace('\n', "\n    ")))
}

#[test]
fn all_problems_come_at_once_in_order() {
    let problems = bad("name: Shop
serivces: {}
services:
  web:
    comand: run
    ports: { http: eighty }
    depends_on: [usres]
  users:
    command: run
    restart: sometimes
    replicas: two
");
    assert_eq!(
        problems,
        [
            "1:7 bad_name `Shop` is no workspace name: `S` cannot stand in a name | `shop` would do",
            "2:1 unknown_key a manifest has no key `serivces` | did you mean `services`?",
            "4:3 missing_command `web` says nothing of what it runs | add `command: …`, or `image: …` for a container",
            "5:5 unknown_key a service has no key `comand` | did you mean `command`?",
            "6:20 wrong_type expected a port number from 1 to 65535, found `eighty`",
            "7:18 unknown_service there is no service `usres` | did you mean `users`?",
            "10:14 wrong_type expected `no`, `on-failure`, `always` or `unless-stopped`, found `sometimes`",
            "11:15 wrong_type expected a whole number, found `two`",
        ]
    );
}

#[test]
fn a_workspace_is_not_called_as_this_machine_is() {
    let expected = "1:7 bad_name a workspace cannot be called `localhost` | \
                    that name means this machine everywhere; `name` gives it another";
    assert_eq!(bad("name: localhost\nservices: { a: { command: x } }"), [expected]);
}

#[test]
fn a_budget_is_a_size() {
    let told = |budget: &str| bad(&format!("budget: {budget}\nservices: {{ a: {{ command: x }} }}\n"));
    assert_eq!(told("4"), ["1:9 small_budget 4B of memory is less than anything takes | write a unit: `4GiB`"]);
    assert_eq!(told("much").len(), 1);
}

#[test]
fn ranges_of_instances_make_sense() {
    let cases = [
        (
            "ports: 80\nreplicas: { min: 3, max: 2 }",
            "5:15 no_range at least 3 and at most 2 is no range | `max` is the greater one",
        ),
        ("ports: 80\nreplicas: { max: 300 }", "5:22 many_replicas a service has at most 256 instances"),
        (
            "ports: 80\nreplicas: { max: 2, in_flight: 0 }",
            "5:36 no_in_flight an instance that is to have no call under way is not needed | `in_flight: 1` is the least",
        ),
        (
            "ports: 80\nreplicas: { max: 2, period: 10ms }",
            "5:33 too_short so few calls say nothing of how many instances they are worth | `1s` is the least",
        ),
        (
            "replicas: { min: 2, in_flight: 3 }",
            "4:36 no_range `in_flight` is about scaling by calls, and there is no `max` up to which | add `max: …`, or remove it",
        ),
        (
            "replicas: { max: 2 }",
            "4:15 scaled_without_ports calls are to decide how many there are of `a`, and it has no ports | add `ports`, or one number",
        ),
    ];
    for (keys, expected) in cases {
        assert_eq!(service(keys), [expected], "{keys}");
    }
}

#[test]
fn each_mistake_is_told_plainly() {
    let cases = [
        ("command: y", "4:5 duplicate_key `command` stands here twice | merge the two, or remove one"),
        ("ports: 0", "4:12 wrong_type expected a port number from 1 to 65535, found `0`"),
        ("ports: [80, 80]", "4:17 duplicate_port port 80 is declared twice"),
        (
            "ports: ['8080:80']",
            "4:13 compose_port a published port in Compose's form | write production's port alone: `ports: 80`; the front door is the way in from the host",
        ),
        ("ports: { 80: 80 }", "4:14 bad_name `80` is no name for a port | name it by its protocol: `http: 80`"),
        ("stop_grace_period: 10", "4:24 bad_duration `10` needs a unit: ms, s, m, h or d"),
        (
            "stop_signal: SIGTRM",
            "4:18 unknown_signal `SIGTRM` is no signal that can be sent here | did you mean `SIGTERM`?",
        ),
        (
            "replicas: 0",
            "4:15 no_replicas a service has at least one instance | leave it out of `up`, or run `nagaya stop a`",
        ),
        ("replicas: 300", "4:15 many_replicas a service has at most 256 instances"),
        (
            "stateful: true\nreplicas: 2",
            "5:15 stateful_twice `a` owns data, so there are never two of it, and `replicas` asks for that | remove `replicas`, or `stateful`",
        ),
        (
            "stateful: true\nmax_age: 1h",
            "5:14 stateful_max_age `a` owns data, so it is not replaced for its age, and `max_age` does nothing | remove `max_age`, or `stateful`",
        ),
        ("lazy: yes", "4:11 wrong_type expected `true` or `false`, found `yes`"),
        (
            "working_dir: nowhere",
            "4:18 missing_folder the folder `nowhere` does not exist | `working_dir` is relative to /w",
        ),
        ("environment: [=x]", "4:19 bad_variable `` cannot be the name of a variable"),
        ("environment: x", "4:18 wrong_type expected variables (a mapping or a list of `KEY=VALUE`), found `x`"),
        ("env_file: no.env", "4:15 unreadable_file env file: /w/no.env does not exist"),
        ("environment: { U: '${b.url}' }", "4:24 unknown_service there is no service `b` | the services are a"),
        (
            "environment: { U: '${a.url}' }",
            "4:24 no_ports `${a.url}`: the service `a` has no ports | declare them under its `ports`",
        ),
        (
            "working_dir: '${a.url}'",
            "4:18 no_reference_here an address of a service cannot be used here | `${NAME.url}` and friends work in `environment`, `command`, `setup` and exec probes",
        ),
        (
            "lazy: true",
            "2:3 lazy_without_ports `a` is lazy but has no ports | a lazy service is started by its first request, so it needs `ports`",
        ),
        ("listen: 80", "4:13 listen_without_ports `listen` needs a port to be about | add `ports: 80`"),
        (
            "depends_on: { a: never }",
            "4:22 unknown_word `never` is none of `service_healthy`, `healthy`, `ready`, `service_started`, `started`, `service_completed_successfully`, `completed`, `log_ready`",
        ),
        (
            "depends_on: [a]",
            "2:3 cycle these services wait for each other: a -> a | one of them must start without the other: take it out of `depends_on` (an address in `environment` is no wait)",
        ),
        ("logs: { max_size: 1k }", "4:23 too_small `max_size` is at least 64KiB"),
        ("network: bridge", "4:14 unknown_word `bridge` is none of `auto`, `pod`, `names`, `env`"),
        ("extends: b", "4:5 unknown_key a service has no key `extends` | share keys with a YAML anchor and `<<`"),
        ("setup: [{ inputs: x }]", "4:13 missing_key a setup step needs a `command`"),
        ("command: []", "4:5 duplicate_key `command` stands here twice | merge the two, or remove one"),
    ];
    for (keys, problem) in cases {
        assert_eq!(service(keys), [problem], "{keys}");
    }
}

#[test]
fn keys_of_the_network_are_told_where_they_belong() {
    let cases = [
        (
            "namespace: pay",
            "4:5 unknown_key a service has no key `namespace` | it is the workspace's: write it at the top level",
        ),
        (
            "ports: { http: { port: 80, network: pod } }",
            "4:32 unknown_key a port has no key `network` | it is a service's, or the workspace's: write it there or at the \
             top level",
        ),
    ];
    for (keys, problem) in cases {
        assert_eq!(service(keys), [problem], "{keys}");
    }
}

#[test]
fn mistakes_in_probes_are_told_plainly() {
    let cases = [
        (
            "startup: { tcp: 1, success_threshold: 2 }",
            "4:43 bad_threshold the success threshold of a startup probe is 1",
        ),
        (
            "liveness: { period: 1s }",
            "4:15 no_check a probe needs a check: `http`, `tcp`, `grpc`, `exec`, `log` or `notify`",
        ),
        (
            "liveness: { log: up }",
            "4:15 log_liveness a line of the log tells that something was, not that the program lives | use `http`, \
             `tcp`, `grpc`, `exec`, or `notify: true` for a program that says WATCHDOG=1",
        ),
        ("startup: { exec: {} }", "4:14 missing_key an exec check needs a `command`"),
    ];
    for (keys, problem) in cases {
        assert_eq!(service(keys), [problem], "{keys}");
    }
}

#[test]
fn what_is_not_yaml_is_told_with_its_place() {
    let cases: [(&str, &str); 5] = [
        (
            "a:\n\tb: 1",
            "2:2 yaml not valid YAML: tabs disallowed within this context (block indentation) | indent with spaces; YAML forbids tabs there",
        ),
        ("a: *x", "1:4 yaml not valid YAML: alias references unknown anchor"),
        (
            "a: 1\n---\nb: 1",
            "3:1 yaml a manifest is one YAML document; a second one starts here | put it into a file of its own and name that under `include`",
        ),
        ("- a", "1:1 wrong_type expected a manifest (a mapping), found a list"),
        (
            "",
            "1:1 no_services the manifest has no services | add some under `services`, or run `nagaya demo` for an example",
        ),
    ];
    for (text, problem) in cases {
        assert_eq!(bad(text), [problem], "{text}");
    }
}

#[test]
fn a_cycle_is_named_by_its_walk() {
    let problems = bad(
        "services:\n  a: { command: x, depends_on: b }\n  b: { command: x, depends_on: c }\n  c: { command: x, depends_on: a }\n",
    );
    assert!(problems[0].contains("wait for each other: a -> b -> c -> a"), "{problems:?}");
}

#[test]
fn a_service_defined_twice_shows_both() {
    let disk = Disk::default()
        .with("nagaya.yaml", "include: b.yaml\nservices:\n  a: { command: x }\n")
        .with("b.yaml", "services:\n  a: { command: y }\n");
    let (workspace, problems) = disk.load();
    assert!(workspace.is_none());
    assert_eq!(shown(&problems), ["2:3 duplicate_service `a` is defined in two manifests | rename one of them"]);
    let (first, _) = problems.list[0].related.unwrap();
    assert_eq!(problems.sources.get(first.source).path, std::path::Path::new("/w/nagaya.yaml"));
}

#[test]
fn two_services_on_one_port_of_the_host_clash() {
    let problems =
        bad("services:\n  a: { command: x, ports: 80, listen: 8080 }\n  b: { command: x, ports: 80, listen: 8080 }\n");
    assert_eq!(
        problems,
        [
            "3:39 port_clash `a` and `b` both listen on port 8080 of this machine | let one of them take its port from `PORT`, without `listen`"
        ]
    );
}

#[test]
fn missing_and_broken_files_are_named() {
    let (_, problems) = Disk::default().load();
    assert_eq!(shown(&problems), ["- unreadable_file manifest: /w/nagaya.yaml does not exist"]);
    let (_, problems) = Disk::default().with_bytes("nagaya.yaml", b"name: a\nx: \xff\n").load();
    assert_eq!(
        shown(&problems),
        ["2:4 not_utf8 this manifest is not UTF-8 text | save it as UTF-8; this is the first byte that is not"]
    );
    let (_, problems) = Disk::default().with("nagaya.yaml", "include: [no.yaml, web]").load();
    assert_eq!(
        shown(&problems)[..2],
        [
            "1:11 unreadable_file include: /w/no.yaml does not exist",
            "1:20 bad_include `web` is a folder | name the manifest in it: `web/nagaya.yaml`"
        ]
    );
}

#[test]
fn huge_and_explosive_manifests_are_refused() {
    let huge = "# padding\n".repeat(1 << 20);
    let (_, problems) = Disk::default().with("nagaya.yaml", &huge).load();
    assert_eq!(
        shown(&problems),
        ["- too_large /w/nagaya.yaml has 10MiB; the largest manifest that is read has 4MiB | split it with `include`"]
    );
    let mut bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n".to_owned();
    for (name, below) in "bcdefghij".chars().zip("abcdefghi".chars()) {
        bomb.push_str(&format!("{name}: &{name} [{}]\n", vec![format!("*{below}"); 9].join(",")));
    }
    let problems = bad(&bomb);
    assert!(
        problems[0].contains("too_much the anchors and aliases expand to more than 250,000 values"),
        "{problems:?}"
    );
    assert_eq!(bad(&"[".repeat(100_000)).len(), 1);
}

#[test]
fn keys_of_later_versions_are_refused_by_name() {
    let text = "telemetry: {}\nservices:\n  a: { command: x, metrics: {}, policy: { timeout: 2s, retry: { budget: 20% } } }\n  b: { command: x, stop_command: x }\n";
    let codes: Vec<String> = bad(text).into_iter().map(|line| line.split(' ').nth(1).unwrap().to_owned()).collect();
    assert_eq!(codes, ["not_built"; 4]);
}

#[test]
fn one_wrong_anchor_is_one_problem() {
    let text = "x-base: &base { command: x, prots: 1 }\nservices: { a: *base, b: *base, c: { <<: *base } }\n";
    assert_eq!(bad(text), ["1:29 unknown_key a service has no key `prots` | did you mean `ports`?"]);
}

#[test]
fn versions_say_what_they_lack() {
    assert_eq!(
        bad("services:\n  a: { command: x, versions: { v2: {}, v3: { prots: 1 } } }\n  a-v3: { command: x }\n"),
        [
            "2:46 unknown_key a service has no key `prots` | did you mean `ports`?",
            "3:3 duplicate_service `a-v3` is the name of `a` in version `v3`, and of another service | rename one of them",
        ]
    );
    assert_eq!(
        bad("services:\n  a: { versions: { V_2!: {}, v3: {} } }\n"),
        [
            "2:3 missing_command `a` says nothing of what it runs | add `command: …`, or `image: …` for a container",
            "2:30 missing_command `a-v3` says nothing of what it runs | add `command: …`, or `image: …` for a container",
        ]
    );
    assert_eq!(
        bad("services:\n  a: { command: x, versions: { v1: {}, V!: {} } }\n"),
        ["2:40 bad_name `a-V!` is no service name: `V` cannot stand in a name | `a-v` would do"]
    );
}

#[test]
fn routes_are_read_where_they_stand() {
    let service = "services: { a: { command: x } }";
    let wrong = |routes: &str| bad(&format!("{service}\nroutes: {routes}\n"));
    let arrow = "dtab_syntax expected `=>`, found `-` | an entry is `/prefix => tree`";
    assert_eq!(wrong("|\n    /svc/a => /b ;\n    /svc/b -> /c ;"), [format!("4:12 {arrow}")]);
    assert_eq!(wrong("/svc/b -> /c"), [format!("2:16 {arrow}")]);
    assert_eq!(wrong("\"/svc/a => /b ;\\n/svc/b -> /c\""), [format!("2:33 {arrow}")]);
    assert_eq!(wrong("\n  - /svc/a => /b\n  - /svc/b -> /c"), [format!("4:12 {arrow}")]);
}

#[test]
fn routes_for_some_requests_alone_are_read_where_they_stand() {
    let wrong = |route: &str| {
        bad(&format!("services: {{ web: {{ command: x }}, users: {{ command: x }} }}\nroutes:\n  - {{ {route} }}\n"))
    };
    let matched = |what: &str| wrong(&format!("service: web, to: users, match: {{ {what} }}"));
    let cases = [
        (
            wrong("to: users"),
            "3:5 bad_route a route needs a `service` | name the service that these requests are addressed to",
        ),
        (
            wrong("service: web"),
            "3:5 bad_route a route needs `to`, where it leads | name a service, a version such as `users-v2`, or a tree as in a dtab",
        ),
        (wrong("service: wep, to: users"), "3:16 unknown_service there is no service `wep` | did you mean `web`?"),
        (wrong("service: web, to: user"), "3:25 unknown_service there is no service `user` | did you mean `users`?"),
        (wrong("service: web, to: '/a -> /b'"), "3:29 dtab_syntax expected the end, found `-`"),
        (
            wrong("service: web, to: users, matches: {}"),
            "3:32 unknown_key a route has no key `matches` | did you mean `match`?",
        ),
        (matched("header: {}"), "3:41 unknown_key a match has no key `header` | did you mean `headers`?"),
        (
            matched("method: post"),
            "3:49 bad_method no request has the method `post` | methods are written as they are sent: `POST`",
        ),
        (
            matched("method: 'GET,POST'"),
            "3:49 bad_method `GET,POST` cannot be a method | for several methods, write several matches in a list",
        ),
        (
            matched("path: admin"),
            "3:47 bad_path `admin` is no path, which begins with `/` | `/admin`, or `regex` for what is in its middle",
        ),
        (
            matched("path: { exact: '/a?b=c' }"),
            "3:56 bad_path no path has `?` | parameters are matched by `query`, and a `*` by `regex`",
        ),
        (matched("path: { exact: /a, regex: b }"), "3:47 bad_match a path has one of `exact`, `prefix` and `regex`"),
        (matched("path: { regex: '(' }"), "3:56 bad_regex not a regular expression: unclosed group"),
        (
            matched("headers: { x-a: { exact: a, regex: b } }"),
            "3:57 bad_match a value is given as it is, or has one of `exact` and `regex`",
        ),
        (matched("headers: [x-a]"), "3:50 wrong_type expected values by their names (a mapping), found a list"),
        (matched("headers: { 'x y': a }"), "3:52 bad_header `x y` cannot be the name of a header"),
        (matched("query: { a: {} }"), "3:53 bad_match a value is given as it is, or has one of `exact` and `regex`"),
    ];
    for (found, expected) in cases {
        assert_eq!(found, [expected]);
    }
}

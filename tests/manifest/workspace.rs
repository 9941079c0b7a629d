//! What a good manifest means.

use std::time::Duration;

use nagaya::manifest::Request;
use nagaya::model::{Check, Command, Condition, Protocol, Readiness, RestartPolicy, Service, Signal, Size, Value};
use nagaya::plan::{Selection, select};

use crate::support::manifest::{Disk, bad, good, shown};

#[test]
fn short_and_long_forms_mean_the_same() {
    let short = good(
        "services:
  a:
    command: run
    ports: 8080
    depends_on: b
    readiness: /healthz
    restart: on-failure:3
    profiles: x
  b: { command: [run, b] }
",
    );
    let long = good(
        "services:
  a:
    command: run
    ports: { main: { port: 8080 } }
    depends_on: { b: { condition: service_healthy } }
    readiness: { httpGet: { path: /healthz, port: 8080 } }
    restart: { policy: on-failure, max: 3 }
    profiles: [x]
  b: { command: [run, b] }
",
    );
    let (mut a, mut b) = (short.services["a"].clone(), long.services["a"].clone());
    // Only the port's protocol word differs: `main` is detected either way.
    a.declared.1 = 0;
    b.declared.1 = 0;
    assert_eq!(a, b);
}

#[test]
fn reads_every_key_that_is_built() {
    let workspace = good(
        "name: shop
environment: { LOG: debug, FROM_SHELL: }
profiles: { backend: [users] }
network: auto
x-own: [1, 2]
services:
  web:
    working_dir: web
    command: npm run dev
    setup: [npm ci, { command: [make, it], inputs: ['src/**'] }]
    ports: { http: 8080, admin: { port: 9090, protocol: http }, grpc: 50051 }
    listen: { admin: 9090 }
    depends_on: { users: log_ready }
    environment: { USERS: '${users.addr}', VERSION: 1.10, YES: yes }
    readiness: { http: { path: /h, port: admin, status: 204 }, period: 1s, timeoutSeconds: 3, failureThreshold: 5 }
    restart: { policy: always, backoff: { base: 1s, max: 1m, jitter: full }, reset: 1m }
    stop_signal: int
    stop_grace_period: 1m30s
    lazy: true
    logs: { max_size: 1MiB, max_files: 2 }
  users:
    command: [./run, --fast]
    ports: { tcp: 5432 }
    readiness: { log: 'ready in \\d+' }
",
    );
    let web = &workspace.services["web"];
    assert_eq!(workspace.name.as_str(), "shop");
    assert_eq!(web.working_dir, std::path::Path::new("/w/web"));
    assert_eq!(web.setup.len(), 2);
    let protocols: Vec<_> = web.ports.iter().map(|port| port.protocol).collect();
    assert_eq!(protocols, [Protocol::Http, Protocol::Http, Protocol::Grpc]);
    assert_eq!(web.listen, [None, Some(9090), None]);
    assert_eq!(web.depends_on[0].condition, Condition::LogReady);
    assert_eq!(web.stop.signal, Signal::parse("INT").unwrap());
    assert_eq!(web.stop.grace, Duration::from_secs(90));
    assert_eq!(web.restart.policy, RestartPolicy::Always);
    assert_eq!(web.logs.max_size, Size(1 << 20));
    assert!(web.lazy);
    let Readiness::Probe(probe) = &web.readiness else { panic!("{:?}", web.readiness) };
    assert_eq!((probe.rhythm.period, probe.rhythm.timeout), (Duration::from_secs(1), Duration::from_secs(3)));
    assert_eq!(probe.rhythm.failure_threshold, 5);
    assert!(matches!(&probe.check, Check::Http { status: Some(204), .. }));
    // Numbers and words keep their spelling in variables.
    let text = |key: &str| match &web.environment.own[key] {
        Value::Is(template) => template.written(),
        Value::FromShell => "(shell)".into(),
    };
    assert_eq!((text("USERS"), text("VERSION"), text("YES")), ("${users.addr}".into(), "1.10".into(), "yes".into()));
    assert_eq!(web.environment.shared["FROM_SHELL"], Value::FromShell);
    let users = &workspace.services["users"];
    assert_eq!(users.profiles, ["backend"]);
    assert!(matches!(users.command(), Some(Command::Argv(words)) if words.len() == 2));
    assert_eq!(users.readiness, Readiness::Log("ready in \\d+".into()));
}

#[test]
fn the_folder_names_a_nameless_workspace_and_p_names_any() {
    assert_eq!(good("services: { a: { command: x } }").name.as_str(), "w");
    let disk = Disk::default().with("nagaya.yaml", "name: shop\nservices: { a: { command: x } }");
    let request = Request { project: Some("mine".into()), ..Request::default() };
    assert_eq!(disk.load_with(&request, &[]).0.unwrap().name.as_str(), "mine");
}

#[test]
fn includes_keep_their_own_folder_and_env() {
    let disk = Disk::default()
        .with(
            "nagaya.yaml",
            "include: [pay/nagaya.yaml]\nenvironment: { A: main, B: main }\nservices: { a: { command: '${X:-none}' } }",
        )
        .with(
            "pay/nagaya.yaml",
            "name: other\nenvironment: { B: pay }\nservices: { pay: { command: '${X}', working_dir: bin } }",
        )
        .with("pay/.env", "X=from-pay")
        .with("pay/bin/run", "");
    let (workspace, problems) = disk.load();
    let workspace = workspace.unwrap();
    assert_eq!(
        shown(&problems),
        ["1:7 ignored_in_include `name` of an included manifest is ignored; the main one decides"]
    );
    let pay = &workspace.services["pay"];
    assert_eq!(pay.working_dir, std::path::Path::new("/w/pay/bin"));
    assert_eq!(pay.command().unwrap().written(), "from-pay");
    assert_eq!(workspace.services["a"].command().unwrap().written(), "none");
    assert_eq!(pay.environment.shared["A"], Value::Is(nagaya::model::Template::text("main")));
    assert_eq!(pay.environment.shared["B"], Value::Is(nagaya::model::Template::text("pay")));
    assert_eq!(*pay.environment.dotenv, [("X".to_owned(), "from-pay".to_owned())]);
}

#[test]
fn a_circle_of_includes_is_one_workspace() {
    let disk = Disk::default()
        .with("nagaya.yaml", "include: b.yaml\nservices: { a: { command: x } }")
        .with("b.yaml", "include: [nagaya.yaml, ./b.yaml]\nservices: { b: { command: x } }");
    assert_eq!(disk.load().0.unwrap().services.len(), 2);
}

#[test]
fn the_local_file_is_laid_over_unless_files_are_named() {
    let disk = Disk::default()
        .with("nagaya.yaml", "services: { a: { command: x, environment: { A: 1 } } }")
        .with("nagaya.local.yaml", "services: { a: { command: y, environment: [B=2] }, b: { command: z } }");
    let workspace = disk.load().0.unwrap();
    assert_eq!(workspace.services["a"].command().unwrap().written(), "y");
    assert_eq!(workspace.services["a"].environment.own.len(), 2);
    assert_eq!(workspace.services.len(), 2);
    let explicit = Request { explicit: true, ..Request::default() };
    assert_eq!(disk.load_with(&explicit, &[]).0.unwrap().services.len(), 1);
}

#[test]
fn variables_come_from_the_shell_then_env_then_vars() {
    let disk = Disk::default()
        .with("nagaya.yaml", "vars: { A: vars, B: vars, C: vars }\nservices: { a: { command: '${A} ${B} ${C}' } }")
        .with(".env", "A=env\nB=env");
    let command = |request: &Request| {
        disk.load_with(request, &[("A", "shell")]).0.unwrap().services["a"].command().unwrap().written()
    };
    assert_eq!(command(&Request::default()), "shell env vars");
    assert_eq!(command(&Request { no_env_file: true, ..Request::default() }), "shell vars vars");
}

#[test]
fn env_files_are_read_in_order() {
    let disk = Disk::default()
        .with(
            "nagaya.yaml",
            "services: { a: { command: x, env_file: [one.env, { path: no.env, required: false }, two.env] } }",
        )
        .with("one.env", "A=1\nB=1")
        .with("two.env", "B=${A:-x}2\nHOME");
    let workspace = disk.load_with(&Request::default(), &[("HOME", "/h")]).0.unwrap();
    let pairs =
        |list: &[(&str, &str)]| list.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<Vec<_>>();
    assert_eq!(
        workspace.services["a"].environment.files,
        pairs(&[("A", "1"), ("B", "1"), ("B", "x2"), ("HOME", "/h")])
    );
}

#[test]
fn anchors_and_merge_keys_work() {
    let workspace = good(
        "x-base: &base { command: run, restart: always }
services:
  a: { <<: *base, command: other }
  b: { <<: *base }
  c: *base
",
    );
    assert_eq!(workspace.services["a"].command().unwrap().written(), "other");
    assert_eq!(workspace.services["b"].restart.policy, RestartPolicy::Always);
    assert_eq!(workspace.services["c"].command().unwrap().written(), "run");
}

#[test]
fn three_thousand_services_may_share_an_anchor() {
    let mut text = "x-base: &base { command: run }\nservices:\n".to_owned();
    for number in 0..3000 {
        text.push_str(&format!("  s{number}: {{ <<: *base }}\n"));
    }
    assert_eq!(good(&text).services.len(), 3000);
}

const VERSIONS: &str = "services:
  db: { command: x }
  cache: { command: x }
  web: { command: x, depends_on: [users] }
  users:
    command: ./run
    ports: { grpc: 50051 }
    aliases: accounts
    publish: 50052:50051
    environment: { A: 1, B: 2 }
    depends_on: [db]
    versions:
      v1:
      v2: { command: ./new, environment: { B: 3 }, depends_on: [cache] }
";

#[test]
fn versions_share_what_they_do_not_say_themselves() {
    let workspace = good(VERSIONS);
    let users = &workspace.services["users"];
    let next = &workspace.services["users-v2"];
    let version = |service: &Service| service.version.as_ref().map(|it| format!("{} {}", it.of, it.name));
    assert_eq!([version(users), version(next)], [Some("users v1".to_owned()), Some("users v2".to_owned())]);
    assert_eq!(workspace.services["web"].version, None);
    assert_eq!(users.ports, next.ports);
    assert_eq!(next.command().map(|it| it.written()), Some("./new".to_owned()));
    let own = |service: &Service| -> Vec<String> {
        let written = |value: &Value| match value {
            Value::Is(template) => template.written(),
            Value::FromShell => String::new(),
        };
        service.environment.own.iter().map(|(key, value)| format!("{key}={}", written(value))).collect()
    };
    assert_eq!((own(users), own(next)), (vec!["A=1".into(), "B=2".into()], vec!["A=1".into(), "B=3".into()]));
    // One name and one number lead to the service, not to each of its versions.
    assert_eq!((users.aliases.len(), users.publish.len()), (1, 1));
    assert_eq!((next.aliases.len(), next.publish.len()), (0, 0));
}

#[test]
fn who_needs_a_service_needs_its_versions() {
    let workspace = good(VERSIONS);
    let chosen = |names: &[&str], no_deps: bool| {
        let services = names.iter().map(ToString::to_string).collect();
        let mask = select(&workspace, &Selection { services, no_deps, ..Selection::default() }, |_| false).unwrap();
        let chosen = workspace.services.keys().zip(mask).filter(|(_, chosen)| *chosen);
        chosen.map(|(name, _)| name.to_string()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(chosen(&["web"], false), "db cache web users users-v2");
    assert_eq!(chosen(&["users-v2"], false), "db cache users-v2");
    assert_eq!(chosen(&["users"], true), "users users-v2");
}

#[test]
fn routes_of_the_main_manifest_come_before_the_included_ones() {
    let main = "include: [in/nagaya.yaml]\nservices: { a: { command: x } }\nroutes: |\n  # ours\n  /svc/a => /#/local/b | /$/nil ;\n";
    let included = "services: { b: { command: x } }\nroutes: /svc/a => !";
    let disk = Disk::default().with("nagaya.yaml", main).with("in/nagaya.yaml", included);
    let (workspace, problems) = disk.load();
    assert_eq!(shown(&problems), [""; 0]);
    assert_eq!(workspace.unwrap().routes.to_string(), "/svc/a=>!;/svc/a=>/#/local/b | /$/nil");
}

#[test]
fn routes_for_some_requests_are_ordered_by_how_exactly_they_say_which() {
    let main = "
include: [in/nagaya.yaml]
services: { a: { command: x, versions: { v1: {}, v2: {} } }, far: { external: 'http://far.example' } }
routes:
  - /svc/a => /#/local/a-v2 ;
  - { service: a, match: { path: /x/ }, to: far }
  - { service: [a, /svc/*/deep], match: [{ path: / }, { path: { exact: /x }, query: { n: 1 } }], to: 2 * /#/local/a & 3 * ! }
";
    let included =
        "services: { b: { command: x } }\nroutes: { name: theirs, service: a, match: { path: /x }, to: a-v1 }";
    let disk = Disk::default().with("nagaya.yaml", main).with("in/nagaya.yaml", included);
    let (workspace, problems) = disk.load();
    assert_eq!(shown(&problems), [""; 0]);
    let workspace = workspace.unwrap();
    assert_eq!(workspace.routes.to_string(), "/svc/a=>/#/local/a-v2");
    let rules: Vec<String> =
        workspace.rules.iter().map(|it| format!("{} [{}] {}", it.when, it.entry.label, it.entry.dentry)).collect();
    let shared = "2.00*/#/local/a & 3.00*!".replace(".00", "");
    assert_eq!(
        rules,
        [
            format!("/x ?n=1 [/x ?n=1] /svc/a=>{shared}"),
            format!("/x ?n=1 [/x ?n=1] /svc/*/deep=>{shared}"),
            "/x/* [/x/*] /svc/a=>/#/external/far".to_owned(),
            "/x/* [theirs] /svc/a=>/#/local/a-v1".to_owned(),
            format!("/* [/*] /svc/a=>{shared}"),
            format!("/* [/*] /svc/*/deep=>{shared}"),
        ]
    );
}

#[test]
fn watched_files_and_what_follows() {
    let workspace = good(
        "services:\n  web:\n    command: x\n    setup: make\n    watch:\n      - src\n      - lib/**/*.js\n      \
         - { paths: [a, b], action: rebuild, ignore: '*.md' }\n      - { paths: c, action: signal }\n      \
         - { paths: d, action: run, command: [x, '${web.port}'] }\n    ports: 80\n  b: { command: x, watch: . }\n",
    );
    let web = &workspace.services["web"].watch;
    let shown: Vec<_> = web.iter().map(|it| (it.paths.join(" "), it.ignore.join(" "), it.reaction.word())).collect();
    let expected =
        [("src lib/**/*.js", "", "restart"), ("a b", "*.md", "rebuild"), ("c", "", "signal"), ("d", "", "run")];
    assert_eq!(shown, expected.map(|(a, b, c)| (a.to_owned(), b.to_owned(), c)));
    assert_eq!(workspace.services["b"].watch[0].paths, ["."]);
}

#[test]
fn a_watch_that_makes_no_sense_is_told() {
    let problems =
        bad("services:\n  web:\n    command: x\n    watch:\n      - 'src/['\n      - { action: restart }\n      \
         - { paths: a, action: rebuild }\n      - { paths: b, action: run }\n      - { paths: c, signal: HUP }\n      \
         - { paths: d, strategy: rolling }\n      - { paths: e, action: run, command: '${nobody.url}' }\n");
    let codes: Vec<&str> = problems.iter().map(|problem| problem.split(' ').nth(1).unwrap()).collect();
    let expected =
        ["bad_pattern", "missing_key", "missing_key", "missing_key", "unused_key", "not_built", "unknown_service"];
    let mut sorted = (codes, expected.to_vec());
    sorted.0.sort_unstable();
    sorted.1.sort_unstable();
    assert_eq!(sorted.0, sorted.1, "{problems:#?}");
}

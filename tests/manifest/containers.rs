//! Services that are containers: what their keys mean, and what is wrong with them.

use std::time::Duration;

use nagaya::model::{Check, Command, Mount, MountSource, NetworkMode, Pull, Readiness, Secret, SecretSource};

use crate::support::manifest::{bad, good};

fn argv(command: Option<&Command>) -> Option<Vec<String>> {
    command.and_then(|command| command.words(|template| template.written()))
}

#[test]
fn composes_keys_mean_what_they_mean_there() {
    let workspace = good(
        "volumes: { data: {}, theirs: { external: true } }
services:
  db:
    image: postgres:16
    command: postgres -c 'max connections=5'
    entrypoint: [/entry, x y]
    working_dir: /srv
    ports: 5432
    volumes: [data:/data, 'theirs:/t:ro', ./conf:/conf:ro, /tmp/x:/x, /anonymous,
              { type: tmpfs, target: /m, tmpfs: { size: 1MiB } }]
    tmpfs: /run:size=64k
    healthcheck: { test: pg_isready, interval: 5s, timeout: 3s, retries: 7 }
    deploy: { replicas: 2, resources: { limits: { cpus: '0.5', memory: 64MiB } } }
    ulimits: { nofile: { soft: 10, hard: 20 }, nproc: 5 }
    sysctls: [net.core.somaxconn=1024]
    extra_hosts: ['a.example:192.0.2.1']
    pull_policy: never
",
    );
    let service = workspace.service(0);
    assert_eq!(workspace.network_of(service, NetworkMode::Env), NetworkMode::Pod, "wherever there are containers");
    let container = service.container().unwrap();
    assert_eq!(argv(container.command.as_ref()).unwrap(), ["postgres", "-c", "max connections=5"]);
    assert_eq!(argv(container.entrypoint.as_ref()).unwrap(), ["/entry", "x y"]);
    assert_eq!((container.image.name.as_deref(), container.image.pull), (Some("postgres:16"), Pull::Never));
    let settings = &container.settings;
    let shown = |mount: &Mount| {
        let source = match &mount.source {
            MountSource::Host(path) => path.display().to_string(),
            MountSource::Volume { name, shared } => format!("{name}{}", if *shared { " of all" } else { "" }),
            MountSource::Anonymous => "-".to_owned(),
            MountSource::Memory { options } => format!("memory {options}"),
        };
        format!("{source} at {}{}", mount.target, if mount.read_only { ", read" } else { "" })
    };
    assert_eq!(
        settings.mounts.iter().map(shown).collect::<Vec<_>>(),
        [
            "data at /data",
            "theirs of all at /t, read",
            "/w/conf at /conf, read",
            "/tmp/x at /x",
            "- at /anonymous",
            "memory size=1048576 at /m",
            "memory size=64k at /run",
        ]
    );
    assert_eq!(settings.working_dir.as_deref(), Some("/srv"));
    assert_eq!((settings.limits.nano_cpus, settings.limits.memory.unwrap().0), (Some(500_000_000), 64 << 20));
    let limits: Vec<_> = settings.ulimits.iter().map(|it| (it.name.as_str(), it.soft, it.hard)).collect();
    assert_eq!(limits, [("nofile", 10, 20), ("nproc", 5, 5)]);
    assert_eq!(settings.sysctls, [("net.core.somaxconn".to_owned(), "1024".to_owned())]);
    assert_eq!(settings.extra_hosts, ["a.example:192.0.2.1"]);
    assert_eq!(service.replicas, 2);
    let Readiness::Probe(probe) = &service.readiness else { panic!("{:?}", service.readiness) };
    assert!(matches!(&probe.check, Check::Exec(Command::Shell(line)) if line.as_text() == Some("pg_isready")));
    let rhythm = probe.rhythm;
    assert_eq!((rhythm.quiet_period, rhythm.timeout), (Duration::from_secs(5), Duration::from_secs(3)));
    assert_eq!(rhythm.failure_threshold, 7);
}

#[test]
fn builds_are_of_folders_that_are_there() {
    let workspace = good(
        "services:\n  a: { build: . }\n  b: { build: { context: ., dockerfile: x.dockerfile, target: t, args: [A=1, B] } }\n",
    );
    let build = |place| workspace.service(place).container().unwrap().image.build.clone().unwrap();
    assert_eq!(build(0).context, build(1).context);
    assert_eq!(build(1).args, [("A".to_owned(), Some("1".to_owned())), ("B".to_owned(), None)]);
    assert_eq!(build(1).target.as_deref(), Some("t"));
}

#[test]
fn a_build_has_the_secrets_that_are_declared() {
    let workspace = good(
        "secrets: { token: { file: . }, key: { environment: API_KEY } }
services:
  a: { build: { context: ., secrets: [token, { source: key, target: other }], cache_from: x:1, network: none, tags: [y:2] } }
",
    );
    let build = workspace.service(0).container().unwrap().image.build.clone().unwrap();
    let secret = |id: &str, source| Secret { id: id.to_owned(), source };
    let SecretSource::File(file) = &build.secrets[0].source else { panic!("{:?}", build.secrets) };
    assert!(file.is_absolute());
    assert_eq!(build.secrets[1], secret("other", SecretSource::Variable("API_KEY".to_owned())));
    assert_eq!((build.secrets[0].id.as_str(), build.cache_from.as_slice()), ("token", &["x:1".to_owned()][..]));
    assert_eq!((build.network.as_deref(), build.tags.as_slice()), (Some("none"), &["y:2".to_owned()][..]));
    let of = |secrets: &str| {
        bad(&format!("{secrets}\nservices: {{ a: {{ build: {{ context: ., secrets: [token] }} }} }}\n"))
    };
    for (secrets, code) in [
        ("x-none: 1", "unknown_secret"),
        ("secrets: { tokens: { environment: T } }", "unknown_secret"),
        ("secrets: { token: {} }", "bad_secret"),
        ("secrets: { token: { file: ., environment: T } }", "bad_secret"),
        ("secrets: { token: { file: no/such } }", "missing_file"),
        ("secrets: { token: { environment: T, external: true } }", "not_built"),
    ] {
        let problems = of(secrets);
        assert!(problems.iter().any(|problem| problem.contains(code)), "{secrets}: {problems:?}");
    }
}

#[test]
fn what_is_wrong_with_a_container_is_said() {
    let cases = [
        ("a: { image: '' }", "bad_image"),
        ("a: { image: x, volumes: [gone:/x] }", "unknown_volume"),
        ("a: { image: x, volumes: ['./x:y'] }", "bad_volume"),
        ("a: { image: x, volumes: ['./x:/y:strange'] }", "bad_volume"),
        ("a: { image: x, command: \"say 'hello\" }", "bad_command"),
        ("a: { image: x, container_name: '-' }", "bad_name"),
        ("a: { image: x, egress: deny }", "container_key"),
        ("a: { image: x, network: env }", "container_key"),
        ("a: { image: x, setup: [ls] }", "container_key"),
        ("a: { command: x, volumes: [./x:/y] }", "container_key"),
        ("a: { image: x, healthcheck: { test: [RUN, x] } }", "bad_test"),
        ("a: { image: x, healthcheck: {} }", "missing_key"),
        ("a: { image: x, pull_policy: sometimes }", "unknown_word"),
        ("a: { image: x, networks: [b] }", "not_built"),
        ("a: { image: x, ulimits: { nofile: {} } }", "missing_key"),
        ("a: { build: https://example.com/x.git }", "remote_context"),
        ("a: { external: 'http://x', image: y }", "external_process"),
    ];
    for (service, code) in cases {
        let problems = bad(&format!("services:\n  {service}\n"));
        let codes: Vec<&str> = problems.iter().map(|line| line.split(' ').nth(1).unwrap()).collect();
        assert_eq!(codes, [code], "{service}: {problems:?}");
    }
}

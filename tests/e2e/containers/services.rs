//! Services in containers, by an engine of the tests' own.

use std::net::TcpListener;
use std::process::Command;

use serde_json::Value;

use super::{Docker, IMAGE};
use crate::e2e::doctor::finding;
use crate::support::sandbox::{Account, Sandbox, binary, finish, signal, until};

/// What every container needs of this machine: its programs.
const USR: &str =
    "volumes: ['/usr:/usr:ro', '/etc/alternatives:/etc/alternatives:ro', './:/srv/app'], working_dir: /srv/app";

/// Answers with who calls, or with what it hears from whom the path names: `/ask/users:80/who`.
const SERVER: &str = r#"
import http.server, signal, sys, urllib.request
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        code = 200
        try:
            if self.path.startswith("/ask/"):
                heard = urllib.request.urlopen("http://" + self.path[5:], timeout=20).read().decode()
                body = f"{sys.argv[1]} heard {heard}"
            else:
                body = f"{sys.argv[1]} is called from {self.client_address[0]}"
        except Exception as error:
            code, body = 502, f"{sys.argv[1]} failed: {error}"
        body = body.encode()
        self.send_response(code)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *words): pass
def bye(*_):
    print("bye", flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, bye)
print("serves", flush=True)
http.server.ThreadingHTTPServer(("", int(sys.argv[2])), Handler).serve_forever()
"#;

/// A sandbox whose Docker is this one, by a context as `docker context use` leaves it.
pub(super) fn boxed(docker: &Docker, account: Account, manifest: &str) -> Sandbox {
    let sandbox = Sandbox::of(account, &manifest.replace("IMAGE", IMAGE).replace("USR", USR));
    let host = format!("unix://{}", docker.socket().display());
    let context = serde_json::json!({ "Name": "tests", "Endpoints": { "docker": { "Host": host } } });
    sandbox.write("../home/.docker/config.json", r#"{"currentContext": "tests"}"#);
    sandbox.write("../home/.docker/contexts/meta/0/meta.json", context.to_string());
    sandbox.write("server.py", SERVER);
    sandbox
}

/// What the engine of containers has of a sandbox's workspace: containers and networks.
pub(super) fn left(docker: &Docker, id: &str) -> String {
    let label = format!("label=nagaya.workspace={id}");
    let list = |words: &[&str]| finish(docker.client().args(words).args(["--filter", &label])).good().out;
    [list(&["ps", "--all", "--quiet"]), list(&["network", "ls", "--quiet"])].concat()
}

pub(super) fn id(sandbox: &Sandbox) -> String {
    sandbox.engine()["id"].as_str().unwrap().to_owned()
}

pub(super) fn down(docker: &Docker, sandbox: &Sandbox) {
    let id = id(sandbox);
    sandbox.nagaya(&["down"]).good();
    assert_eq!(left(docker, &id), "", "after down");
    sandbox.empties();
}

/// What somebody hears at a URL, asked by curl in the place of a service.
pub(super) fn heard(sandbox: &Sandbox, from: &str, url: &str) -> String {
    sandbox.nagaya(&["exec", from, "--", "/usr/bin/curl", "-sS", "--max-time", "30", url]).good().out
}

/// `why` has these words about a service.
#[track_caller]
pub(super) fn tells(sandbox: &Sandbox, service: &str, words: &[&str]) {
    let out = sandbox.nagaya(&["why", service]).good().out;
    for word in words {
        assert!(out.contains(word), "no `{word}` in {out}");
    }
}

const LIVES: &str = "
name: lives
services:
  web: { image: IMAGE, USR, command: [/usr/bin/python3, server.py, web, '80'], environment: { COLOUR: red },
         labels: { team: shop }, hostname: counter, mem_limit: 256MiB, ports: { http: 80 } }
  probed: { image: IMAGE, USR, command: /usr/bin/sleep infinity, stop_signal: SIGKILL,
            healthcheck: { test: [CMD, /usr/bin/test, -f, /srv/app/ready], interval: 1s } }
  job: { image: IMAGE, USR, entrypoint: [/usr/bin/bash, -c], environment: { COLOUR: 'blue sky' },
         command: ['echo out; echo err >&2; echo $$COLOUR; test -z \"$$XDG_STATE_HOME\"'] }
  fails: { image: IMAGE, USR, command: \"/usr/bin/bash -c 'exit 3'\" }
";

#[test]
fn a_container_lives_as_a_process_does() {
    let docker = Docker::shared();
    for account in Account::all() {
        lives(&docker, account);
    }
}

/// At an engine, for an account.
pub(super) fn lives(docker: &Docker, account: Account) {
    let sandbox = boxed(docker, account, LIVES);
    let engine = finding(&sandbox.nagaya(&["doctor", "--json"]).good().json(), "containers");
    assert!(engine["message"].as_str().unwrap().contains(&format!("run by {:?} ", docker.brand)), "{engine}");
    sandbox.nagaya(&["up", "-d"]).good();
    for (service, state) in [("web", "ready"), ("job", "completed"), ("fails", "failed")] {
        until(&format!("{service} is {state}"), || sandbox.row(service)["state"] == state);
    }
    assert_eq!(sandbox.row("probed")["ready"], false);
    sandbox.write("ready", "");
    until("probed is ready", || sandbox.row("probed")["ready"] == true);
    let row = sandbox.row("web");
    assert_eq!([&row["kind"], &row["image"], &row["network"]], ["container", IMAGE, "pod"], "{row}");
    assert!(row["container"].as_str().unwrap().starts_with("nagaya-lives-"), "{row}");
    assert_eq!(sandbox.row("fails")["exit_code"], 3);
    let log = sandbox.nagaya(&["logs", "job"]).good().out;
    assert!(["out", "err", "blue sky"].iter().all(|line| log.contains(line)), "{log}");
    let inside = sandbox.nagaya(&["exec", "web", "--", "/usr/bin/bash", "-c", "echo $COLOUR; hostname; exit 7"]);
    assert_eq!((inside.out.as_str(), inside.code), ("red\ncounter\n", 7), "{inside:?}");
    let variables = sandbox.nagaya(&["env", "web"]).good().out;
    assert!(variables.contains("COLOUR=red") && !variables.contains("XDG_STATE_HOME"), "{variables}");
    let name = row["container"].as_str().unwrap();
    let inspected = finish(docker.client().args(["inspect", name])).good().json();
    assert_eq!(inspected[0]["Config"]["Labels"]["team"], "shop");
    assert_eq!(inspected[0]["HostConfig"]["Memory"], 256 << 20);
    let restarts = &inspected[0]["HostConfig"]["RestartPolicy"]["Name"];
    assert!(restarts == "" || restarts == "no", "that is nagaya's business: {restarts}");
    sandbox.nagaya(&["stop", "web"]).good();
    until("web has stopped", || sandbox.row("web")["state"] == "stopped");
    assert!(sandbox.nagaya(&["logs", "web"]).good().out.contains("bye"), "it was asked to end");
    sandbox.nagaya(&["start", "web"]).good();
    until("web is ready again", || sandbox.row("web")["ready"] == true);
    down(docker, &sandbox);
}

const NETWORK: &str = "
name: both
services:
  pod: { command: [python3, server.py, pod, '80'], ports: { http: 80 }, depends_on: [first], environment: { A: 'http://second' } }
  first: { image: IMAGE, USR, command: [/usr/bin/python3, server.py, first, '80'], ports: { http: 80 }, publish: PUBLISHED }
  second: { image: IMAGE, USR, command: [/usr/bin/python3, server.py, second, '80'], ports: { http: 80 }, depends_on: [first], replicas: 2 }
";

#[test]
fn containers_and_pods_are_in_one_network() {
    let docker = Docker::shared();
    for account in Account::all() {
        meet(&docker, account);
    }
}

/// At an engine, for an account.
pub(super) fn meet(docker: &Docker, account: Account) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let manifest = NETWORK.replace("PUBLISHED", &format!("'{port}:80'"));
    let sandbox = boxed(docker, account, &manifest);
    sandbox.up();
    // Each by each other's name, at the same port.
    for (from, to) in [("pod", "first"), ("first", "pod"), ("second", "first"), ("first", "second")] {
        let body = heard(&sandbox, from, &format!("http://{to}/"));
        assert!(body.starts_with(&format!("{to} is called from 10.")), "{from} to {to}: {body}");
    }
    for name in ["pod.both", "pod.default.svc.cluster.local"] {
        assert!(heard(&sandbox, "first", &format!("http://{name}/")).starts_with("pod is called"), "{name}");
    }
    let body = heard(&sandbox, "first", "http://pod/ask/second/x");
    assert!(body.starts_with("pod heard second is called"), "{body}");
    // The callers are known, though nobody tells.
    let has = |from: &str, to: &str| sandbox.requests().iter().any(|it| it["from"] == from && it["to"] == to);
    for (from, to) in [("pod", "first"), ("first", "pod"), ("second", "first"), ("pod", "second")] {
        until(&format!("{from} was seen calling {to}"), || has(from, to));
    }
    // A pod sees the caller's own address, and each instance of a service has one.
    let callers: Vec<String> = (0..2).map(|_| heard(&sandbox, "first", "http://pod/")).collect();
    assert_eq!(callers[0], callers[1]);
    let front = sandbox.nagaya(&["url", "first", "--json"]).good().out;
    assert!(front.contains(&port.to_string()), "{front}");
    let published = finish(Command::new("curl").args(["-sS", &format!("http://127.0.0.1:{port}/")])).good().out;
    assert!(published.starts_with("first is called from 10."), "{published}");
    let undeclared = "http://pod:81/";
    let refused = sandbox.nagaya(&["exec", "first", "--", "/usr/bin/curl", "-sS", "--max-time", "30", undeclared]);
    assert!(refused.code == 7 || refused.code == 56, "refused or reset: {refused:?}");
    down(docker, &sandbox);
}

const LEAVES: &str = "
name: leaves
services:
  web: { image: IMAGE, USR, command: [/usr/bin/python3, server.py, web, '80'], ports: { http: 80 } }
  pod: { command: [sleep, infinity] }
";

fn engine(sandbox: &Sandbox) -> u32 {
    sandbox.engine()["pid"].as_u64().unwrap().try_into().unwrap()
}

#[test]
fn a_killed_engine_leaves_no_container() {
    let docker = Docker::shared();
    let sandbox = boxed(&docker, Account::unprivileged(), LEAVES);
    sandbox.up();
    let (id, killed) = (id(&sandbox), engine(&sandbox));
    assert_ne!(left(&docker, &id), "");
    signal("KILL", killed);
    // Its launcher sees to that.
    until("all containers and networks are gone", || left(&docker, &id).is_empty());
    sandbox.empties();
    sandbox.up();
    // With the launcher killed as well nobody does, until somebody comes.
    let killed = engine(&sandbox);
    let launcher = std::fs::read_to_string(format!("/proc/{killed}/task/{killed}/children")).unwrap();
    signal("STOP", killed);
    signal("KILL", launcher.trim().parse().unwrap());
    signal("KILL", killed);
    assert_ne!(left(&docker, &id), "");
    sandbox.nagaya(&["down"]).good();
    assert_eq!(left(&docker, &id), "");
    sandbox.empties();
}

const BUILT: &str = "
name: built
services:
  web: { build: { context: app, args: { COLOUR: red }, target: last }, USR, ports: { http: 80 } }
";

const DOCKERFILE: &str = "FROM IMAGE AS base
ARG COLOUR
ENV COLOUR=$COLOUR
FROM base AS last
COPY . /app
CMD [\"/usr/bin/python3\", \"/srv/app/server.py\", \"web\", \"80\"]
FROM base
";

#[test]
fn images_are_built_when_what_they_are_made_of_changed() {
    let docker = Docker::shared();
    let sandbox = boxed(&docker, Account::unprivileged(), BUILT);
    sandbox.write("app/Dockerfile", DOCKERFILE.replace("IMAGE", IMAGE));
    sandbox.write("app/.dockerignore", "secret\n");
    sandbox.write("app/secret", "hidden");
    sandbox.write("app/words", "one");
    sandbox.up();
    let inside = |line: &str| sandbox.nagaya(&["exec", "web", "--", "/usr/bin/bash", "-c", line]).good().out;
    assert_eq!(inside("echo $COLOUR; cat /app/words; ls /app"), "red\noneDockerfile\nwords\n");
    let log = sandbox.nagaya(&["logs", "web"]).good().out;
    assert!(log.contains("COPY . /app"), "{log}");
    let image = |sandbox: &Sandbox| {
        let name = sandbox.row("web")["container"].as_str().unwrap().to_owned();
        finish(docker.client().args(["inspect", "--format", "{{.Image}}", &name])).good().out
    };
    let first = image(&sandbox);
    down(&docker, &sandbox);
    sandbox.up();
    assert_eq!(image(&sandbox), first, "nothing changed");
    down(&docker, &sandbox);
    sandbox.write("app/words", "two");
    sandbox.up();
    assert_ne!(image(&sandbox), first);
    assert_eq!(inside("cat /app/words"), "two");
    down(&docker, &sandbox);
    sandbox.write("app/Dockerfile", format!("FROM {IMAGE} AS last\nCOPY nowhere /\n"));
    sandbox.nagaya(&["up", "-d"]).good();
    until("the build has failed", || sandbox.row("web")["state"] == "failed");
    tells(&sandbox, "web", &["could not be built", "nowhere"]);
    assert!(sandbox.nagaya(&["logs", "web"]).good().out.contains("COPY nowhere"), "its output is shown");
    down(&docker, &sandbox);
}

const FAULTS: &str = "
name: faults
services:
  stays: { command: [sleep, infinity] }
  missing: { image: 'registry.invalid/no/such:1' }
  never: { image: 'nagaya-tests-no-such:1', pull_policy: never }
  taken: { image: IMAGE, USR, container_name: NAME, command: [/usr/bin/sleep, infinity] }
  strange: { image: IMAGE, command: [/no/such/program] }
  again: { image: IMAGE, USR, command: [/usr/bin/sleep, infinity], stop_signal: SIGKILL, restart: always }
  once: { image: IMAGE, USR, command: [/usr/bin/sleep, infinity], stop_signal: SIGKILL }
";

#[test]
fn what_goes_wrong_with_a_container_is_told_and_harms_no_other() {
    let docker = Docker::shared();
    let name = format!("taken-{}", std::process::id());
    finish(docker.client().args(["create", "--name", &name, IMAGE, "/x"])).good();
    let sandbox = boxed(&docker, Account::unprivileged(), &FAULTS.replace("NAME", &name));
    sandbox.nagaya(&["up", "-d"]).good();
    let said: [(&str, &[&str]); 4] = [
        ("missing", &["registry.invalid/no/such:1 cannot be fetched"]),
        ("never", &["pull_policy: never"]),
        ("taken", &["is called", &name, "docker rm"]),
        ("strange", &["its command is not in the image"]),
    ];
    for (service, words) in said {
        until(&format!("{service} has failed"), || sandbox.row(service)["state"] == "failed");
        tells(&sandbox, service, words);
    }
    for service in ["stays", "again", "once"] {
        until(&format!("{service} runs"), || sandbox.row(service)["state"] == "running");
    }
    let container = |service: &str| sandbox.row(service)["container"].as_str().unwrap().to_owned();
    let pid = sandbox.pid("again");
    finish(docker.client().args(["rm", "--force", &container("again")])).good();
    until("what was removed is there again", || {
        let row = sandbox.row("again");
        row["state"] == "running" && row["pid"] != pid
    });
    finish(docker.client().args(["kill", &container("once")])).good();
    until("what was killed has failed", || sandbox.row("once")["state"] == "failed");
    assert_eq!(sandbox.row("once")["exit_code"], 137);
    down(&docker, &sandbox);
    let others = finish(docker.client().args(["rm", &name])).good().out;
    assert_eq!(others.trim(), name, "what is not ours was left alone");
}

#[test]
fn without_an_engine_all_else_runs() {
    let manifest = "name: none\nservices:\n  stays: { command: [sleep, infinity] }\n  web: { image: 'postgres:16' }\n";
    let sandbox = Sandbox::of(Account::unprivileged(), manifest);
    for (host, words) in [
        ("unix:///no/such.sock", ["does not answer", "systemctl start docker"]),
        ("ssh://me@there", ["not used over ssh", "DOCKER_HOST=unix://"]),
    ] {
        finish(sandbox.command(binary()).args(["up", "-d"]).env("DOCKER_HOST", host)).good();
        until("web has failed", || sandbox.row("web")["state"] == "failed");
        tells(&sandbox, "web", &words);
        let row: Value = sandbox.row("stays");
        assert_eq!(row["state"], "running");
        sandbox.nagaya(&["down"]).good();
        sandbox.empties();
    }
}

const RETURNS: &str = "
name: returns
services:
  web: { image: IMAGE, USR, command: [/usr/bin/python3, server.py, web, '80'], ports: { http: 80 } }
  pod: { command: [python3, server.py, pod, '80'], ports: { http: 80 }, depends_on: [web] }
";

#[test]
fn containers_come_back_with_their_engine() {
    let mut docker = Docker::start();
    let sandbox = boxed(&docker, Account::unprivileged(), RETURNS);
    sandbox.up();
    let pid = sandbox.pid("pod");
    docker.end();
    until("web is gone", || sandbox.row("web")["ready"] == false);
    assert_eq!(sandbox.row("pod")["pid"], pid, "all else stays as it is");
    sandbox.nagaya(&["start", "web"]).ended(1);
    until("that is told", || sandbox.nagaya(&["why", "web"]).good().out.contains("of containers"));
    docker.come_back();
    until("web is there again", || sandbox.row("web")["ready"] == true);
    assert!(heard(&sandbox, "pod", "http://web/ask/pod/x").contains("web heard pod is called"));
    down(&docker, &sandbox);
}

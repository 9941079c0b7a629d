//! Builds by BuildKit, and by what was there before.

use std::process::Stdio;

use super::Docker;
use super::services::{boxed, down};
use crate::support::sandbox::{Account, Sandbox, binary, finish, until};

const BUILT: &str = "
name: kit
secrets: { token: { file: token }, key: { environment: API_KEY } }
services:
  web:
    build: { context: app, secrets: [token, { source: key, target: other }], args: { COLOUR: red }, target: last,
             network: none, tags: ['TAG'] }
    command: [/bin/cat, /seen]
";

const DOCKERFILE: &str = "FROM scratch AS base
COPY root /
ARG COLOUR
RUN --mount=type=cache,target=/cache echo begins && echo run >> /cache/runs && cp /cache/runs /runs
FROM base AS last
ARG COLOUR
RUN --mount=type=secret,id=token --mount=type=secret,id=other cat /run/secrets/token /run/secrets/other > /seen && echo $COLOUR >> /seen
FROM base AS broken
RUN exit 7
";

/// A folder with what a shell takes, from this machine.
const ROOT: &str = "mkdir -p app/root/bin
for name in dash cat cp ls; do
    cp -L $(command -v $name) app/root/bin/
    ldd $(command -v $name) | grep -o '/lib[^ ]*' | while read -r library; do
        mkdir -p app/root$(dirname $library)
        cp -L $library app/root$library
    done
done
ln -s dash app/root/bin/sh";

fn nagaya(sandbox: &Sandbox, words: &[&str], variables: &[(&str, &str)]) -> crate::support::sandbox::Run {
    finish(sandbox.command(binary()).args(words).envs(variables.iter().copied()).stdin(Stdio::null()))
}

#[test]
fn a_build_has_secrets_caches_and_a_network_of_its_own() {
    let docker = Docker::shared();
    for account in Account::all() {
        let tag = format!("nagaya-tests-kit-{}:1", fastrand::u32(..));
        let sandbox = boxed(&docker, account, &BUILT.replace("TAG", &tag));
        finish(sandbox.command("sh").args(["-ec", ROOT])).good();
        sandbox.write("app/Dockerfile", DOCKERFILE);
        sandbox.write("token", "hidden\n");
        let key = [("API_KEY", "secret\n")];
        nagaya(&sandbox, &["build"], &key).good().says(&["web | #", "cat /run/secrets/token", "begins", "web  ✓ done"]);
        nagaya(&sandbox, &["up", "-d"], &key).good();
        until("it has said what it saw", || sandbox.nagaya(&["logs", "web"]).good().out.contains("red"));
        let log = sandbox.nagaya(&["logs", "web"]).good().out;
        assert!(log.contains("hidden") && log.contains("secret") && !log.contains("begins"), "built before: {log}");
        let made =
            finish(docker.client().args(["run", "--rm", "--network=none", &tag, "/bin/ls", "-R", "/run", "/runs"]));
        assert!(made.out.contains("/runs") && !made.out.contains("token"), "{made:?}");
        down(&docker, &sandbox);
        // What is not there is told; so is a step that fails, with its output.
        nagaya(&sandbox, &["build", "--no-cache"], &[]).ended(1).says(&["the variable API_KEY is not set"]);
        sandbox.write("nagaya.yaml", BUILT.replace("TAG", &tag).replace("target: last", "target: broken"));
        nagaya(&sandbox, &["build"], &key).ended(1).says(&["RUN exit 7", "ERROR", "exit code: 7", "web: the image"]);
        sandbox.write("nagaya.yaml", BUILT.replace("TAG", &tag));
        let older = [("API_KEY", "x"), ("DOCKER_BUILDKIT", "0")];
        nagaya(&sandbox, &["build"], &older).ended(1).says(&["its `secrets` need BuildKit", "DOCKER_BUILDKIT=0"]);
        finish(docker.client().args(["rmi", "--force", &tag])).good();
    }
}

const CLASSIC: &str = "
name: classic
services:
  web: { build: { context: app, args: { COLOUR: red }, network: none, tags: ['TAG'] }, command: [/bin/cat, /seen] }
";

#[test]
fn an_engine_without_buildkit_builds_all_the_same() {
    let docker = Docker::shared();
    let tag = format!("nagaya-tests-classic-{}:1", fastrand::u32(..));
    let sandbox = boxed(&docker, Account::unprivileged(), &CLASSIC.replace("TAG", &tag));
    finish(sandbox.command("sh").args(["-ec", ROOT])).good();
    sandbox.write("app/Dockerfile", "FROM scratch\nCOPY root /\nARG COLOUR\nRUN echo $COLOUR > /seen\n");
    let older = [("DOCKER_BUILDKIT", "0")];
    nagaya(&sandbox, &["build"], &older).good().says(&["web | Step 1/5 : FROM scratch", "web  ✓ done"]);
    let seen = finish(docker.client().args(["run", "--rm", "--network=none", &tag, "/bin/cat", "/seen"])).good().out;
    assert_eq!(seen, "red\n");
    finish(docker.client().args(["rmi", "--force", &tag])).good();
}

const CHECKED: &str = "
name: checked
services:
  web: { build: { context: app, network: none }, volumes: ['./:/work'], command: [/bin/sleep, infinity], stop_signal: SIGKILL }
  off: { build: { context: app, network: none }, command: [/bin/sleep, infinity], stop_signal: SIGKILL,
         healthcheck: { disable: true } }
  after: { command: [sleep, infinity], depends_on: [web] }
";

#[test]
fn an_images_own_check_says_when_it_is_ready() {
    let docker = Docker::shared();
    let sandbox = boxed(&docker, Account::unprivileged(), CHECKED);
    finish(sandbox.command("sh").args(["-ec", &ROOT.replace("dash cat", "dash sleep cat")])).good();
    let check = "HEALTHCHECK --interval=100ms --retries=1 CMD cat /work/ready";
    sandbox.write("app/Dockerfile", format!("FROM scratch\nCOPY root /\n{check}\n"));
    sandbox.nagaya(&["up", "-d"]).good();
    until("the other one runs", || sandbox.row("off")["state"] == "running");
    until("that is told", || {
        let row = sandbox.row("web");
        row["state"] == "starting" && row["reason"].as_str().is_some_and(|reason| reason.contains("/work/ready"))
    });
    assert_eq!(sandbox.row("after")["state"], "waiting");
    sandbox.write("ready", "");
    until("all are there", || sandbox.row("web")["state"] == "ready" && sandbox.row("after")["state"] == "running");
    std::fs::remove_file(sandbox.path("ready")).unwrap();
    until("it is not well", || sandbox.row("web")["state"] == "unhealthy");
    sandbox.write("ready", "");
    until("it is well again", || sandbox.row("web")["state"] == "ready");
    down(&docker, &sandbox);
}

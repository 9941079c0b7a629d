//! Other people's clients and servers call each other through us: in pods, and at the front door.
//!
//! `tests/peers/build` has made them. A suite prints `ok …` for each thing that it tried; one that cannot run has failed.

mod databases;
mod grpc;
mod health;
mod http;
mod load;

use std::path::{Path, PathBuf};

use crate::support::sandbox::{Account, Run, Sandbox};

/// Callees, each in its pod at the ports that it has everywhere, and `shell`, in which the callers run.
const MANIFEST: &str = r#"
name: peers
services:
  shell: { command: [sleep, infinity], depends_on: [go, node, interop] }
  go: { command: [./bin/server], ports: { http: 8080 } }
  node: { command: [node, NODE/server.mjs], ports: { http: 8080 } }
  interop: { command: [./bin/interop-server, --port=50051], ports: { grpc: 50051 } }
"#;

/// What `tests/peers/build` has made.
pub fn built(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers").join(name);
    assert!(path.exists(), "{} is not there: tests/peers/build makes it", path.display());
    path
}

/// The workspace, of which some services are started.
fn peers(account: Account, services: &[&str]) -> Sandbox {
    let sandbox = Sandbox::of(account, &MANIFEST.replace("NODE", &built("node").to_string_lossy()));
    for name in ["server", "client", "interop-server", "interop-client", "h2spec"] {
        sandbox.share(&built(&format!("bin/{name}")), &format!("bin/{name}"));
    }
    sandbox.nagaya(&[&["up", "-d", "--wait", "--wait-timeout", "60s"], services].concat()).good();
    sandbox
}

impl Sandbox {
    /// Runs a caller in the pod of `shell`.
    fn call(&self, words: &[&str]) -> Run {
        self.nagaya(&[&["exec", "shell", "--"], words].concat())
    }

    /// Where the front door has a service, for callers on the host and in pods alike.
    fn at_the_front_door(&self, service: &str) -> String {
        format!("{service}.peers.localhost:{}", self.engine()["front_door"])
    }
}

/// It ended well and tried so many things.
#[track_caller]
fn passes(run: Run, count: usize) {
    let passed = run.out.lines().filter(|line| line.starts_with("ok ")).count();
    assert!(run.code == 0 && passed == count, "{passed} of {count} passed\n{}\n{}", run.out, run.err);
}

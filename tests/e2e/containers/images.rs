//! Images: fetched from a registry that wants to know who asks, and built before anything is started.

use std::fs;
use std::process::{Child, Command, Stdio};

use super::services::{boxed, down};
use super::{Docker, IMAGE, is_root};
use crate::support::sandbox::{Account, finish, until};

/// A registry (OCI distribution specification 1.1) in the daemon's own network, with one image, for one user.
struct Registry {
    child: Child,
    port: u16,
}

const REGISTRY: &str = r#"
import base64, gzip, hashlib, http.server, io, json, sys, tarfile
buffer = io.BytesIO()
with tarfile.open(fileobj=buffer, mode="w") as tar:
    for name in ["usr", "work", "tmp", "proc", "sys", "dev", "etc"]:
        info = tarfile.TarInfo(name)
        info.type, info.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(info)
    for name in ["bin", "lib", "lib64"]:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = tarfile.SYMTYPE, "usr/" + name
        tar.addfile(info)
digest = lambda data: "sha256:" + hashlib.sha256(data).hexdigest()
diff, layer = digest(buffer.getvalue()), gzip.compress(buffer.getvalue())
config = json.dumps({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": [diff]}}).encode()
part = lambda kind, data: {"mediaType": "application/vnd.docker." + kind, "size": len(data), "digest": digest(data)}
manifest = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
    "config": part("container.image.v1+json", config), "layers": [part("image.rootfs.diff.tar.gzip", layer)]}).encode()
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def answer(self, code, body, kind="application/json", **fields):
        self.send_response(code)
        for name, value in fields.items(): self.send_header(name.replace("_", "-"), value)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD": self.wfile.write(body)
    def do_GET(self):
        known = self.headers.get("authorization") == "Basic " + base64.b64encode(b"me:pa:ss").decode()
        if not known:
            return self.answer(401, b"{}", www_authenticate='Basic realm="tests"', docker_distribution_api_version="registry/2.0")
        if self.path == "/v2/": return self.answer(200, b"{}")
        if self.path.startswith("/v2/shop/web/manifests/") and "absent" not in self.path:
            return self.answer(200, manifest, "application/vnd.docker.distribution.manifest.v2+json", docker_content_digest=digest(manifest))
        for data in (config, layer):
            if self.path.endswith("/blobs/" + digest(data)):
                return self.answer(200, data, "application/octet-stream", docker_content_digest=digest(data))
        self.answer(404, b'{"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}')
    do_HEAD = do_GET
    def log_message(self, *words): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
open(sys.argv[1], "w").write(str(server.server_port))
server.serve_forever()
"#;

impl Registry {
    fn start(docker: &Docker) -> Self {
        let folder = docker.folder.path();
        let (script, told) = (folder.join("registry.py"), folder.join("registry.port"));
        fs::write(&script, REGISTRY).unwrap();
        let daemon = fs::read_to_string(folder.join("pid")).unwrap();
        let mut command = if is_root() { Command::new("nsenter") } else { Command::new("sudo") };
        if !is_root() {
            command.args(["-n", "nsenter"]);
        }
        command.arg("--target").arg(daemon.trim()).args(["--net", "sh", "-c"]);
        command.arg("ip link set lo up; exec python3 \"$@\"").arg("sh").arg(script).arg(&told).stdin(Stdio::null());
        let child = command.spawn().unwrap();
        let port = || fs::read_to_string(&told).ok()?.parse().ok();
        until("the registry listens", || port().is_some());
        Self { child, port: port().unwrap() }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let pid = self.child.id().to_string();
        let mut kill = if is_root() { Command::new("kill") } else { Command::new("sudo") };
        if !is_root() {
            kill.args(["-n", "kill"]);
        }
        let _ = kill.arg(pid).status();
        let _ = self.child.wait();
    }
}

const PULLED: &str = "
name: pulled
services:
  web: { image: '127.0.0.1:PORT/shop/web:1', USR, command: /usr/bin/sleep infinity, stop_signal: SIGKILL }
  twin: { image: '127.0.0.1:PORT/shop/web:1', USR, command: /usr/bin/sleep infinity, stop_signal: SIGKILL, profiles: [more] }
  absent: { image: '127.0.0.1:PORT/shop/web:absent', profiles: [absent] }
  own: { command: [sleep, infinity] }
";

#[test]
fn an_image_is_fetched_with_what_a_login_left() {
    // Of its own: what is fetched is there for all others.
    let docker = Docker::start();
    let registry = Registry::start(&docker);
    let port = registry.port.to_string();
    let sandbox = boxed(&docker, Account::unprivileged(), &PULLED.replace("PORT", &port));
    let login = |config: &str| sandbox.write("../home/.docker/config.json", config.replace("PORT", &port));
    // Nobody has logged in.
    sandbox.nagaya(&["pull"]).ended(1).says(&["web: the image 127.0.0.1:", "cannot be fetched", "no basic auth"]);
    // By what Docker's configuration has itself, wrong at first.
    login(r#"{"currentContext": "tests", "auths": {"127.0.0.1:PORT": {"auth": "bWU6bm8="}}}"#);
    sandbox.nagaya(&["pull"]).ended(1).says(&["web: ", "cannot be fetched"]);
    login(r#"{"currentContext": "tests", "auths": {"127.0.0.1:PORT": {"auth": "bWU6cGE6c3M="}}}"#);
    sandbox.nagaya(&["pull", "web"]).good().says(&["web | pulling 127.0.0.1:", "web | pulled", "web  ✓ done"]);
    // Once more by a helper; each image is asked for once.
    login(r#"{"currentContext": "tests", "credHelpers": {"127.0.0.1:PORT": "tests"}}"#);
    sandbox.write("docker-credential-tests", HELPER);
    finish(docker.client().args(["rmi", &format!("127.0.0.1:{port}/shop/web:1")])).good();
    let path = format!("{}:{}", sandbox.path("").display(), std::env::var("PATH").unwrap());
    let mut pull = sandbox.command(crate::support::sandbox::binary());
    let rows = finish(pull.args(["pull", "--profile", "more", "--json"]).env("PATH", path)).good().json();
    let row = &rows[0];
    assert_eq!(
        (&row["state"], row["services"].as_array().map(Vec::len), rows.as_array().map(Vec::len)),
        (&"pulled".into(), Some(2), Some(1)),
        "{rows}"
    );
    login(r#"{"currentContext": "tests", "auths": {"127.0.0.1:PORT": {"auth": "bWU6cGE6c3M="}}}"#);
    sandbox.nagaya(&["pull"]).good().says(&["web  ✓ as it was"]);
    sandbox.nagaya(&["pull", "absent", "web"]).ended(1).says(&["absent: the image", "web  ✓ as it was"]);
    sandbox.nagaya(&["pull", "own"]).ended(2).says(&["no image of these services is fetched"]);
    sandbox.nagaya(&["pull", "nobody"]).ended(2);
    sandbox.up();
    down(&docker, &sandbox);
}

/// What `docker-credential-…` programs answer (docker-credential-helpers).
const HELPER: &str = r#"#!/bin/sh
read registry
[ "$1" = get ] && echo "{\"ServerURL\": \"$registry\", \"Username\": \"me\", \"Secret\": \"pa:ss\"}"
"#;

const BUILT: &str = "
name: before
services:
  web: { build: app, USR, command: [/usr/bin/python3, server.py, web, '80'], ports: { http: 80 } }
  own: { command: [sleep, infinity] }
";

#[test]
fn images_are_built_before_anything_starts_and_what_runs_is_replaced() {
    let docker = Docker::shared();
    let sandbox = boxed(&docker, Account::unprivileged(), BUILT);
    sandbox.write("app/Dockerfile", format!("FROM {IMAGE}\nCOPY nowhere /\n"));
    // It fails with its output, and nothing was started.
    let failed = sandbox.nagaya(&["up", "-d", "--wait", "--build"]).ended(1);
    failed.says(&["web | ", "COPY nowhere", "web  ✗ failed", "could not be built"]);
    sandbox.nagaya(&["ps"]).ended(4);
    let failed = sandbox.nagaya(&["up", "-d", "--wait", "--build", "--json"]).ended(1).json();
    assert!(failed["error"]["message"].as_str().unwrap().contains("nowhere"), "{failed}");
    sandbox.nagaya(&["build"]).ended(1).says(&["COPY nowhere", "web: the image"]);
    let rows = sandbox.nagaya(&["build", "--json"]).ended(1).json();
    assert_eq!((&rows[0]["services"][0], &rows[0]["state"]), (&"web".into(), &"failed".into()));
    sandbox.write("app/Dockerfile", format!("FROM {IMAGE}\nCOPY words /\n"));
    sandbox.write("app/words", "one");
    sandbox.nagaya(&["build", "own"]).ended(2).says(&["no image of these services is built"]);
    sandbox.nagaya(&["build"]).good().says(&["web  ✓ done"]);
    sandbox.nagaya(&["up", "-d", "--wait", "--build"]).good().says(&["web  ✓ as it was"]);
    let inside = || sandbox.nagaya(&["exec", "web", "--", "/usr/bin/cat", "/words"]).good().out;
    assert_eq!(inside(), "one");
    // Of what runs the new image takes the place, and nothing else is disturbed.
    let pid = sandbox.pid("own");
    sandbox.write("app/words", "two");
    sandbox.nagaya(&["up", "-d", "--wait"]).good();
    assert_eq!(inside(), "one", "it was not asked for");
    sandbox.nagaya(&["up", "-d", "--wait", "--build"]).good();
    until("the new one serves", || inside() == "two");
    assert_eq!(sandbox.pid("own"), pid);
    sandbox.nagaya(&["build", "--no-cache"]).good().says(&["web  ✓ "]);
    down(&docker, &sandbox);
}

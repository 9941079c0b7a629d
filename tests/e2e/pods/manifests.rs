//! A manifest that changes while pods run.

use super::workspace;
use crate::support::sandbox::{Account, finish};

#[test]
fn a_service_that_the_manifest_has_no_longer_has_no_name() {
    let both = "
name: shrinking
services:
  web: { command: [sleep, infinity] }
  users: { command: [python3, server.py, '8080'], ports: { http: 8080 }, aliases: people, stop_grace_period: 60s }
";
    for account in Account::all() {
        // It lives on for a while, and has no name as soon as the manifest has none.
        let sandbox = workspace(
            account,
            &both.replace("python3, server.py", "bash, -c, 'trap \"\" TERM; python3 server.py $0 & wait; wait'"),
        );
        sandbox.up();
        let web = |name: &str| {
            let front = sandbox.engine()["front_door"].to_string();
            let url = format!("http://{name}.shrinking.localhost:{front}/");
            let to = format!("{name}.shrinking.localhost:{front}:127.0.0.1");
            finish(sandbox.command("curl").args([
                "-s",
                "-o",
                "/dev/null",
                "-w",
                "%{http_code}",
                "--resolve",
                &to,
                &url,
            ]))
            .out
        };
        assert_eq!(["users", "people", "PEOPLE", "others"].map(web), ["200", "200", "200", "404"]);
        sandbox.inside("web", "getent hosts users people.shrinking").good();
        let (one, _) = both.split_once("  users").unwrap();
        sandbox.write("nagaya.yaml", one);
        sandbox.nagaya(&["up", "-d"]).good();
        for name in ["users", "people", "users.shrinking", "users.default.svc.cluster.local"] {
            sandbox.inside("web", &format!("getent hosts {name}")).ended(2);
        }
        assert_eq!(["users", "people"].map(web), ["404", "404"]);
    }
}

//! Containers beside processes without pods.

use super::Docker;
use super::services::{boxed, down, heard};
use crate::support::sandbox::{Account, until};

const MODES: &str = "
name: modes
network: MODE
services:
  own: { command: 'exec python3 server.py own $PORT', ports: { http: 8080 }, depends_on: [box],
         environment: { A: '${box.url}' } }
  box: { image: IMAGE, USR, command: [/usr/bin/python3, server.py, box, '8081'], ports: { http: 8081 },
         environment: { B: '${own.url}' } }
";

#[test]
fn containers_call_and_are_called_in_every_mode() {
    let docker = Docker::shared();
    for account in Account::all() {
        for mode in ["pod", "names", "env"] {
            println!("{account:?} {mode}");
            let sandbox = boxed(&docker, account, &MODES.replace("MODE", mode));
            sandbox.up();
            assert_eq!([&sandbox.row("own")["network"], &sandbox.row("box")["network"]], [mode, "pod"]);
            // Each by what it was told: a name where there are names, else a port of the loopback.
            let told = |service: &str, line: &str| {
                sandbox.nagaya(&["exec", service, "--", "/usr/bin/bash", "-c", line]).good().out
            };
            let url = told("own", "echo $A");
            assert_eq!(url.starts_with("http://127.0.0.1:"), mode == "env", "{url}");
            assert!(told("own", "curl -sS --max-time 30 $A").starts_with("box is called from 10."));
            assert_eq!(told("box", "echo $B").trim(), "http://own:8080");
            assert!(told("box", "/usr/bin/curl -sS --max-time 30 $B").starts_with("own is called from "));
            if mode != "env" {
                assert!(heard(&sandbox, "own", "http://box:8081/").starts_with("box is called from 10."));
            }
            let has = |from: &str, to: &str| sandbox.requests().iter().any(|it| it["from"] == from && it["to"] == to);
            for (from, to) in [("own", "box"), ("box", "own")] {
                until(&format!("{from} was seen calling {to}"), || has(from, to));
            }
            down(&docker, &sandbox);
        }
    }
}

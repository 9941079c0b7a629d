//! What commands say where a person would be left to wonder.

use std::fs::File;
use std::process::Stdio;
use std::time::Instant;

use serde_json::{Value, json};

use crate::support::sandbox::{Sandbox, binary, finish, until};

#[test]
fn url_tells_what_services_alone_can_reach() {
    // Both have 8080, and nobody can be given 81.
    let sandbox = Sandbox::new(
        "name: forms
services:
  web: { command: [sleep, infinity], ports: { http: 8080, admin: 81 }, readiness: { exec: 'true' } }
  chat: { command: [sleep, infinity], ports: { status: 8080, grpc: 18475 }, readiness: { exec: 'true' } }
  rpc: { command: [sleep, infinity], ports: { grpc: 8080 }, readiness: { exec: 'true' } }
",
    );
    sandbox.up();
    let door = sandbox.engine()["front_door"].clone();
    let rows = sandbox.nagaya(&["url", "--json"]).good().json();
    let of = |service: &str, port: &str| -> Value {
        let row = rows.as_array().unwrap().iter().find(|row| row["service"] == service && row["port"] == port).unwrap();
        json!([row["url"], row["loopback"], row["only_in_pods"]])
    };
    let at_the_door = |service: &str| format!("http://{service}.forms.localhost:{door}");
    assert_eq!(of("web", "http"), json!([at_the_door("web"), null, false]));
    assert_eq!(of("web", "admin"), json!(["http://web:81", null, true]));
    // The port that says what it speaks is the one at the door.
    assert_eq!(of("chat", "grpc"), json!(["http://127.0.0.1:18475", "http://127.0.0.1:18475", false]));
    assert_eq!(of("chat", "status"), json!(["http://chat:8080", null, true]));
    assert_eq!(of("rpc", "grpc"), json!([at_the_door("rpc"), null, false]));
    let all = sandbox.nagaya(&["url"]).good();
    assert!(all.err.contains("services alone reach web's admin, chat's status: "), "{}", all.err);
    assert!(all.err.contains("`publish` gives it one"), "{}", all.err);
    let rpc = sandbox.nagaya(&["url", "rpc"]).good();
    assert_eq!((rpc.out.trim(), rpc.err.as_str()), (at_the_door("rpc").as_str(), ""));
}

#[test]
fn up_says_whether_it_starts_and_how_many_addresses_it_left_out() {
    let service = |n: usize| {
        format!("  s{n}: {{ command: [sleep, infinity], ports: {{ http: 8080 }}, readiness: {{ exec: 'true' }} }}\n")
    };
    let services: String = (1..=7).map(service).collect();
    let sandbox = Sandbox::new(&format!("name: many\nservices:\n{services}"));
    let first = sandbox.nagaya(&["up", "-d"]).good().err;
    assert!(first.contains("many is starting: 7 services") && first.contains("and 2 more: `nagaya url`"), "{first}");
    let again = sandbox.nagaya(&["up", "-d"]).good().err;
    assert!(again.contains("many is running: 7 services") && !again.contains("starting"), "{again}");
    let waited = sandbox.nagaya(&["up", "--wait", "s1"]).good().err;
    assert!(waited.contains("many is up: 1 service"), "{waited}");
}

#[test]
fn a_folder_for_sockets_that_cannot_be_made_is_named() {
    let sandbox = Sandbox::new("services: { web: { command: [sleep, infinity] } }");
    // Not even root makes a folder in a file.
    sandbox.write("file", "");
    let runtime = sandbox.path("file/run");
    let run = finish(sandbox.command(binary()).args(["up", "-d"]).env("XDG_RUNTIME_DIR", &runtime));
    run.ended(1).says(&[&format!("{}/nagaya: ", runtime.display()), "XDG_RUNTIME_DIR names another place"]);
}

#[test]
fn a_port_that_another_workspace_has_is_told_with_its_name() {
    let sandbox = Sandbox::new(
        "name: first\nservices: { web: { command: [sleep, infinity], ports: { http: 18476 }, readiness: { exec: 'true' } } }",
    );
    sandbox.up();
    let second = "name: second\nservices: { web: { command: [sleep, infinity], publish: 18476 } }";
    sandbox.write("two/nagaya.yaml", second);
    let two = sandbox.path("two/nagaya.yaml");
    let run = sandbox.nagaya(&["-f", two.to_str().unwrap(), "up", "-d"]).good();
    assert!(run.err.contains("port 18476 is taken by the workspace `first` of "), "{}", run.err);
    sandbox.nagaya(&["-p", "second", "down"]).good();
}

#[test]
fn an_output_that_cannot_be_written_is_an_error() {
    let sandbox = Sandbox::new("services: { web: { command: [sleep, infinity] } }");
    sandbox.up();
    for words in [["ps"].as_slice(), &["ps", "--json"], &["schema"], &["config"], &["events", "--json"]] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let mut command = sandbox.command(binary());
        let child = command.args(words).stdout(full).stderr(Stdio::piped()).spawn().unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            output.status.code() == Some(1) && said.contains("standard output cannot be written"),
            "{words:?}: {said}"
        );
    }
}

#[test]
fn a_program_that_goes_into_the_background_runs() {
    for network in ["pod", "env"] {
        let sandbox = Sandbox::new(&format!(
            "network: {network}\nservices: {{ web: {{ command: 'python3 -u -m http.server --bind 127.0.0.1 $PORT & exit 0', ports: {{ http: 8080 }} }} }}"
        ));
        sandbox.up();
        let row = sandbox.row("web");
        let told = json!([row["state"], row["reason"]]);
        assert_eq!(told, json!(["ready", "running in the background (its main process ended)"]), "{network}");
        let url = sandbox.nagaya(&["url", "web"]).good().out;
        finish(sandbox.command("curl").args(["-sSf", "-o", "/dev/null", url.trim()])).good();
    }
}

#[test]
fn who_waits_for_a_service_that_ends_for_good_is_refused_at_once() {
    let sandbox = Sandbox::new(
        "name: ends
services:
  well: { command: 'until [ -e go ]; do sleep 0.01; done', ports: { http: 8080 }, restart: 'no' }
  badly: { command: 'until [ -e go ]; do sleep 0.01; done; exit 3', ports: { http: 8080 }, restart: 'no' }
",
    );
    sandbox.nagaya(&["up", "-d"]).good();
    let url = |name: &str| sandbox.nagaya(&["url", name]).good().out.trim().to_owned();
    let calls = ["well", "badly"].map(|name| {
        until("it runs", || sandbox.row(name)["state"] == "starting");
        let (at, script) = (url(name), "touch calls.$0; exec curl -sS -i $1");
        let mut command = sandbox.command("sh");
        command.args(["-c", script, name, &at]).stdout(Stdio::piped()).spawn().unwrap()
    });
    until("both call", || ["well", "badly"].iter().all(|name| sandbox.path(&format!("calls.{name}")).exists()));
    let begun = Instant::now();
    sandbox.write("go", "");
    for (call, said) in calls.into_iter().zip(["well has completed", "badly has failed"]) {
        let answer = String::from_utf8_lossy(&call.wait_with_output().unwrap().stdout).into_owned();
        assert!(answer.starts_with("HTTP/1.1 503") && answer.contains(said), "{answer}");
    }
    // They would be held for 30 s.
    assert!(begun.elapsed().as_secs() < 10);
    // And who comes later does not wait at all.
    let later = finish(sandbox.command("curl").args(["-sS", "-m", "5", &url("well")])).good().out;
    assert_eq!(later, "nagaya: well has completed\nto see more: nagaya why well\n");
}

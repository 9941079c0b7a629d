//! The shapes of `--json`: fields may be added, never renamed or taken away.

use serde_json::Value;

use crate::support::sandbox::{Sandbox, finish};

const MANIFEST: &str = r#"
name: shapes
environment: { LEVEL: debug }
services:
  web:
    command: exec python3 -u -m http.server --bind 127.0.0.1 $PORT
    ports: { http: 8080 }
    depends_on: [job]
    environment: { JOB: "${ranking.url}" }
  ranking: { command: exec python3 -m http.server --bind 127.0.0.1 $PORT, ports: { http: 8080 } }
  job: { command: echo done }
"#;

/// Every one of these fields is there, whatever its value.
#[track_caller]
fn has(value: &Value, fields: &str) {
    let object = value.as_object().unwrap_or_else(|| panic!("no object: {value}"));
    let missing: Vec<&str> = fields.split_whitespace().filter(|field| !object.contains_key(*field)).collect();
    assert!(missing.is_empty(), "{missing:?} are missing in {value:#}");
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

#[test]
fn every_documented_field_is_there() {
    let sandbox = Sandbox::new(MANIFEST);
    let events = lines(&sandbox.nagaya(&["up", "-d", "--wait", "--json"]).good().out);
    events.iter().for_each(|event| has(event, "time event service state message code cached duration_ms"));
    assert!(events.iter().any(|event| event["service"] == "web" && event["state"] == "ready"), "{events:?}");

    has(
        &sandbox.row("web"),
        "service version instance state ready kind network pid container image ports restarts exit_code uptime_ms \
         cpu_percent memory_bytes reason",
    );
    has(&sandbox.row("web")["ports"][0], "name port protocol url published");
    has(&sandbox.nagaya(&["why", "web", "--json"]).json(), "service state ready blockers last_probe last_lines next");
    has(&sandbox.nagaya(&["url", "--json"]).json()[0], "service port url loopback");
    has(&sandbox.nagaya(&["env", "web", "--json"]).json(), "PORT LEVEL JOB");
    has(&sandbox.nagaya(&["ls", "--json"]).json()[0], "name id manifest pid socket state front_door started");

    let url = sandbox.nagaya(&["url", "web"]).good().out;
    finish(sandbox.command("curl").args(["-sS", url.trim()])).good();
    has(
        &sandbox.requests()[0],
        "id trace_id time from to version protocol method path status grpc_status duration_ms attempts fallback fault \
         routed_by link",
    );
    has(
        &lines(&sandbox.nagaya(&["logs", "job", "--json"]).good().out)[0],
        "time service version instance stream level message request_id trace_id",
    );
}

#[test]
fn waiting_is_closed_by_a_line_that_says_what_came_of_it() {
    let closed = |manifest: &str, words: &[&str], code: i32| {
        let sandbox = Sandbox::new(manifest);
        let run = sandbox.nagaya(&[&["up", "--wait", "--json"], words].concat()).ended(code);
        let last = lines(&run.out).pop().unwrap();
        has(&last, "time event service state message code cached duration_ms result services");
        assert_eq!((last["event"].as_str(), last["code"].as_i64()), (Some("up"), Some(code.into())), "{last:#}");
        last
    };
    let ready = closed("services: { a: { command: sleep infinity }, job: { command: echo done } }", &[], 0);
    assert_eq!(
        (&ready["result"], &ready["services"], ready.get("error")),
        (&"ready".into(), &serde_json::json!([]), None)
    );
    let failed = closed(
        "services:\n  a: { command: sleep infinity }\n  bad: { command: 'echo no disk; exit 3' }\n  late: { command: sleep 1, depends_on: [bad] }\n",
        &[],
        1,
    );
    assert_eq!(failed["result"], "failed");
    has(&failed["error"], "code message hints");
    let bad = failed["services"].as_array().unwrap().iter().find(|it| it["service"] == "bad").unwrap();
    assert_eq!(
        *bad,
        serde_json::json!({ "service": "bad", "instance": 1, "state": "failed", "reason": "exited with 3" })
    );
    assert!(failed["services"].as_array().unwrap().iter().all(|it| it["service"] != "a"), "{failed:#}");
    let slow = "services: { slow: { command: sleep infinity, ports: 80 } }";
    let late = closed(slow, &["--wait-timeout", "500ms"], 5);
    assert_eq!((&late["result"], &late["services"][0]["service"]), (&"timed_out".into(), &"slow".into()));
}

#[test]
fn the_manifest_as_it_is_understood() {
    let sandbox = Sandbox::new(MANIFEST);
    let config = sandbox.nagaya(&["config", "--json"]).good().json();
    has(&config, "name network namespace strict services problems");
    has(
        &config["services"]["web"],
        "kind command image build working_dir environment ports depends_on references replicas healthcheck profiles external aliases hostnames publish network egress user",
    );
    has(&config["services"]["web"]["ports"][0], "name port published protocol");
    assert_eq!(config["services"]["web"]["depends_on"][0]["service"], "job");
    assert_eq!(config["services"]["web"]["references"][0]["service"], "ranking");
    let schema = sandbox.nagaya(&["schema"]).good().json();
    let records = schema["$defs"].as_object().unwrap();
    assert!(records["RawWorkspace"]["properties"]["services"].is_object());
    assert!(records["Fallback"]["properties"]["static"].is_object(), "a word of Rust is a key like others");
    sandbox.write("nagaya.yaml", "name: bad\nservices: 5\n");
    let check = sandbox.nagaya(&["check", "--json"]).ended(3).json();
    has(&check["problems"][0], "severity code message file line column hint");
}

#[test]
fn errors_are_objects_on_standard_output() {
    let sandbox = Sandbox::new(MANIFEST);
    let error = sandbox.nagaya(&["ps", "--json"]).ended(4).json();
    has(&error["error"], "code message hints");
    assert_eq!(error["error"]["code"], 4);
}

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

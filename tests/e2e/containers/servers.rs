//! Brokers and caches of templates as containers: images made of this machine's own servers, which begin as the official
//! ones do.

use super::Docker;
use super::backing::{import, program, shell, stocked};
use super::services::{boxed, down};
use crate::support::sandbox::{Account, Sandbox};

/// By the names of the official images: how they begin, and what is in them.
const IMAGES: [(&str, &str, &[&str]); 3] = [
    ("nats:2", "#!/bin/sh\nexec nats-server \"$@\"\n", &["sh", "nats-server"]),
    // It has a command of its own, which the template leaves as it is.
    ("memcached:1", "#!/bin/sh\nexec memcached -u root \"$@\"\n", &["sh", "memcached"]),
    ("eclipse-mosquitto:2", MOSQUITTO, &["sh", "chown", "mosquitto"]),
];

/// It has a configuration for who wants no passwords, and becomes an account of its own.
const MOSQUITTO: &str = r#"#!/bin/sh
set -e
echo 'mosquitto:x:1883:1883::/:/bin/sh' >> /etc/passwd
printf 'listener 1883\nallow_anonymous true\n' > /mosquitto-no-auth.conf
chown -R 1883:1883 /mosquitto
exec "$@"
"#;

const SERVERS: &str = "
name: servers
services:
  nats: { template: { name: nats, run: container } }
  mosquitto: { template: { name: mosquitto, run: container } }
  memcached: { template: { name: memcached, run: container } }
  app: { command: [sleep, infinity], depends_on: [nats, mosquitto, memcached] }
";

/// Has each server keep something, or finds it: a stream of JetStream, a retained message of MQTT 3.1.1.
const ASK: &str = r#"
import os, socket, sys, urllib.parse
def ask(variable, words, wanted):
    url = urllib.parse.urlsplit(os.environ[variable])
    with socket.create_connection((url.hostname, url.port), 20) as line:
        line.sendall(words)
        heard = b""
        while wanted not in heard:
            more = line.recv(4096)
            if not more: break
            heard += more
    return wanted in heard or heard
def stream(name, body):
    return b"CONNECT {\"verbose\":false}\r\nSUB in 1\r\nPUB $JS.API.STREAM.%s.S in %d\r\n%s\r\n" % (name, len(body), body)
hello = b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00"
asks = {
    "keep": [("NATS_URL", stream(b"CREATE", b'{"name":"S","subjects":["s"],"storage":"file"}'), b'"did_create":true'),
             ("MQTT_URL", hello + b"\x33\x09\x00\x01t\x00\x01kept", b"\x40\x02\x00\x01"),
             ("MEMCACHED_URL", b"set a 0 0 1\r\nx\r\n", b"STORED")],
    "find": [("NATS_URL", stream(b"INFO", b""), b'"storage":"file"'),
             ("MQTT_URL", hello + b"\x82\x06\x00\x01\x00\x01t\x00", b"\x31\x07\x00\x01tkept"),
             ("MEMCACHED_URL", b"get a\r\n", b"END")],
}
print(*(ask(*words) for words in asks[sys.argv[1]]))
"#;

fn stock(docker: &Docker) {
    for (image, entry, programs) in IMAGES {
        let programs: Vec<String> = programs.iter().map(|name| program(name)).collect();
        import(docker, image, "/usr/bin:/usr/sbin", entry, &programs);
    }
}

#[test]
fn brokers_and_caches_run_as_containers_and_keep_what_they_are_to_keep() {
    let docker = stocked();
    stock(&docker);
    let sandbox: Sandbox = boxed(&docker, Account::unprivileged(), SERVERS);
    sandbox.write("ask.py", ASK);
    sandbox.up();
    for name in ["nats", "mosquitto", "memcached"] {
        assert_eq!(sandbox.row(name)["kind"], "container");
    }
    assert_eq!(shell(&sandbox, "python3 ask.py keep"), "True True True\n");
    sandbox.nagaya(&["restart", "nats", "mosquitto", "memcached"]).good();
    assert_eq!(shell(&sandbox, "python3 ask.py find"), "True True True\n");
    // Other containers have the same data.
    sandbox.nagaya(&["down"]).good();
    sandbox.up();
    assert_eq!(shell(&sandbox, "python3 ask.py find"), "True True True\n");
    down(&docker, &sandbox);
    sandbox.nagaya(&["down", "--volumes", "--yes"]).good();
}

//! Ports 80 and 443 of the host, which one engine holds for all.

use super::door::manifest;
use super::traffic::{HTTP1, RAW};
use crate::support::sandbox::{Sandbox, binary, finish};

/// In a network of its own, where nobody has ports 80 and 443.
#[test]
fn one_engine_holds_the_standard_ports_for_all_and_another_takes_over() {
    let sandbox = Sandbox::new(&manifest());
    for folder in ["", "two/"] {
        sandbox.write(&format!("{folder}http1.py"), HTTP1);
        sandbox.write(&format!("{folder}raw.py"), RAW);
    }
    sandbox.write("two/nagaya.yaml", manifest().replace("name: door", "name: two"));
    let script = r#"
        ip link set lo up
        get() { curl -sS -o /dev/null -w '%{http_code}\n' --retry 20 --retry-delay 1 --retry-connrefused "$@"; }
        two() { (cd two; "$NAGAYA" "$@"); }
        "$NAGAYA" up -d --wait -q --door-80 && "$NAGAYA" url web
        NAGAYA_DOOR_80=1 two up -d --wait -q ; two url web | sed 's/[0-9]*$//'
        ca=$("$NAGAYA" trust --print)
        for host in web.door.localhost web.two.localhost [::1] door.localhost; do get http://$host/; done
        for name in web.door web.two; do get --cacert "$ca" https://$name.localhost/; done
        "$NAGAYA" up -d -q --door-80
        "$NAGAYA" down -q 2>/dev/null
        get http://web.two.localhost/
        get --cacert "$ca" https://web.two.localhost/
        "$NAGAYA" up -d -q --door-80 2>/dev/null
        "$NAGAYA" down -q 2>/dev/null
        two down -q 2>/dev/null
        python3 -m http.server 80 --bind 0.0.0.0 >/dev/null 2>&1 & server=$!
        get http://127.0.0.1/
        "$NAGAYA" up -d -q --door-80 2>/dev/null; "$NAGAYA" url web | sed 's/[0-9]*$//'
        kill $server; wait
        "$NAGAYA" down -q 2>/dev/null
        sed -i 's/ports: { http: 80 }/&, network: env, listen: 80/' nagaya.yaml
        "$NAGAYA" up -d --wait -q --door-80 2>/dev/null; get http://127.0.0.1/a
        "$NAGAYA" down -q 2>/dev/null
    "#;
    let mut shell = sandbox.command("unshare");
    shell.args(["--net", "--map-root-user", "--", "bash", "-uc", script]).env("NAGAYA", binary());
    let run = finish(&mut shell).good();
    let expected = format!(
        "http://web.door.localhost\nhttp://web.two.localhost:\n{}http://web.door.localhost:\n200\n",
        "200\n".repeat(4 + 2 + 2 + 1)
    );
    assert_eq!(run.out, expected, "{}", run.err);
}

/// In a network of its own, where nobody has ports 80 and 443.
#[test]
fn a_strict_pod_gets_nowhere_by_the_standard_ports_that_it_may_not_go() {
    const STRICT: &str = "
name: tight
strict: true
services:
  web: { command: [sleep, infinity], depends_on: [users] }
  users: { command: [python3, http1.py, '80'], ports: { http: 80 } }
  db: { command: [python3, http1.py, '80'], ports: { http: 80 } }
";
    let sandbox = Sandbox::new(STRICT);
    for folder in ["", "two/"] {
        sandbox.write(&format!("{folder}http1.py"), HTTP1);
    }
    sandbox.write(
        "two/nagaya.yaml",
        "name: two\nservices: { other: { command: [python3, http1.py, '80'], ports: { http: 80 } } }",
    );
    let script = r#"
        ip link set lo up
        get() {
            "$NAGAYA" exec web -- curl -sS -m 10 -o /dev/null -w '%{http_code}\n' -H "Host: $1" http://host.nagaya.internal/
        }
        tight() { for host in users.tight.localhost db.tight.localhost; do get $host; done 2>/dev/null; }
        "$NAGAYA" up -d --wait -q --door-80
        tight
        "$NAGAYA" down -q 2>/dev/null
        (cd two; "$NAGAYA" up -d --wait -q --door-80)
        "$NAGAYA" up -d --wait -q
        tight; get other.two.localhost
        "$NAGAYA" down -q 2>/dev/null
        (cd two; "$NAGAYA" down -q 2>/dev/null)
    "#;
    let mut shell = sandbox.command("unshare");
    shell.args(["--net", "--map-root-user", "--", "bash", "-uc", script]).env("NAGAYA", binary());
    let run = finish(&mut shell).good();
    // Over the engine's own ports it is known who calls; over another's it is not, so nobody is let in.
    assert_eq!(run.out, "200\n403\n000\n000\n200\n", "{}", run.err);
}

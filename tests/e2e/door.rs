//! The front door: whom it serves, by which names, in clear and by TLS, with real clients.

use std::io::{ErrorKind, Read};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use super::traffic::{HTTP1, RAW};
use crate::support::sandbox::{Account, Run, Sandbox, binary, finish, until};

pub fn manifest() -> String {
    format!(
        "name: door\nservices:\n  \
         web: {{ command: [python3, http1.py], ports: {{ http: 80 }} }}\n  \
         raw: {{ command: [python3, raw.py], ports: {{ tcp: 7000 }} }}\n  \
         greeter: {{ command: [{:?}, demo-service, greeter], ports: {{ grpc: 50051 }} }}\n",
        binary()
    )
}

fn door(account: Account) -> Sandbox {
    let sandbox = Sandbox::of(account, &manifest());
    sandbox.write("http1.py", HTTP1);
    sandbox.write("raw.py", RAW);
    sandbox.up();
    sandbox
}

impl Sandbox {
    /// The number of the front door.
    pub fn front_door(&self) -> u16 {
        self.engine()["front_door"].as_u64().unwrap().try_into().unwrap()
    }

    /// The folder of the authority.
    pub fn authority(&self) -> PathBuf {
        self.home().with_file_name("ca")
    }

    /// Runs curl with the authority trusted; `DOOR` stands for the front door's number.
    #[track_caller]
    pub fn curl(&self, words: &[&str]) -> Run {
        let ca = self.authority().join("ca.pem");
        let number = self.front_door().to_string();
        let mut command = self.command("curl");
        command.args(["-sS", "--max-time", "60", "--noproxy", "*"]);
        if ca.exists() {
            command.arg("--cacert").arg(ca);
        }
        finish(command.args(words.iter().map(|word| word.replace("DOOR", &number))))
    }
}

#[test]
fn one_port_speaks_http_and_https_in_both_versions() {
    for account in Account::all() {
        let sandbox = door(account);
        let plain: Value = sandbox.curl(&["http://web.door.localhost:DOOR/a"]).good().json();
        assert_eq!(plain["headers"]["x-forwarded-proto"], "http");
        assert!(!sandbox.authority().exists(), "an authority that nobody needs yet");
        sandbox.curl(&["https://web.door.localhost:DOOR/"]).ended(60);
        let key = std::fs::metadata(sandbox.authority().join("ca.key")).unwrap();
        assert_eq!(key.permissions().mode() & 0o777, 0o600);
        for (flag, version) in [("--http1.1", "1.1"), ("--http2", "2")] {
            let url = "https://web.door.localhost:DOOR/a?b=c";
            let told: Value = sandbox.curl(&[flag, url]).good().json();
            let headers = &told["headers"];
            assert_eq!(headers["x-forwarded-proto"], "https");
            assert!(headers["x-forwarded-host"].as_str().unwrap().starts_with("web.door.localhost:"), "{headers}");
            assert_eq!(told["path"], "/a?b=c");
            assert_eq!(sandbox.curl(&[flag, "-o", "/dev/null", "-w", "%{http_version}", url]).good().out, version);
        }
        let record = sandbox.requests().into_iter().find(|record| record["path"] == "/a?b=c").unwrap();
        assert!(record["from"] == "(front door)" && record["to"] == "web", "{record}");
    }
}

#[test]
fn both_loopback_addresses_are_open_and_certified() {
    let sandbox = door(Account::Own);
    sandbox.curl(&["-k", "https://127.0.0.1:DOOR/"]).good();
    for url in ["http://[::1]:DOOR/", "https://127.0.0.1:DOOR/", "https://[::1]:DOOR/", "https://localhost:DOOR/"] {
        assert!(sandbox.curl(&[url]).good().out.contains("<h1>door</h1>"), "{url}");
    }
}

#[test]
fn a_certificate_is_what_browsers_ask_for_and_strangers_get_none() {
    let sandbox = door(Account::Own);
    let ca = sandbox.nagaya(&["trust", "--print"]).good().out;
    let client = |name: &str, then: &str| {
        let script = format!(
            "openssl s_client -connect 127.0.0.1:{} -servername {name} -alpn h2,http/1.1 -CAfile {} \
             -verify_hostname {name} -verify_return_error </dev/null {then}",
            sandbox.front_door(),
            ca.trim()
        );
        finish(sandbox.command("bash").args(["-o", "pipefail", "-c", &script]))
    };
    let session = client("web.door.localhost", "2>&1").good().out;
    assert!(session.contains("Verify return code: 0 (ok)") && session.contains("ALPN protocol: h2"), "{session}");
    let shown = "2>/dev/null | openssl x509 -noout -ext subjectAltName,extendedKeyUsage,basicConstraints \
                 -checkend $((398 * 86400))";
    let certificate = client("web.door.localhost", shown).ended(1).out;
    for text in ["DNS:web.door.localhost\n", "TLS Web Server Authentication", "CA:FALSE", "Certificate will expire"] {
        assert!(certificate.contains(text), "no `{text}` in\n{certificate}");
    }
    assert!(client("example.com", "2>&1").out.contains("no peer certificate available"));
}

#[test]
fn the_authority_can_certify_nothing_else() {
    let sandbox = door(Account::Own);
    let ca = sandbox.nagaya(&["trust", "--print"]).good().out;
    let script = format!(
        "cd $HOME; openssl req -newkey rsa:2048 -nodes -keyout k -subj /CN=x -out r 2>/dev/null
         for name in web.door.localhost bank.example; do echo subjectAltName=DNS:$name > e
         openssl x509 -req -in r -CA {0} -CAkey {1}/ca.key -set_serial 7 -extfile e -out c 2>/dev/null
         openssl verify -CAfile {0} c 2>&1 | tail -1; done",
        ca.trim(),
        sandbox.authority().display()
    );
    let verdicts = finish(sandbox.command("bash").args(["-ec", &script])).out;
    let (own, other) = verdicts.split_once('\n').unwrap();
    assert!(own.ends_with(": OK") && !other.contains("OK"), "{verdicts}");
}

#[test]
fn grpc_and_upgrades_pass_by_tls() {
    let sandbox = door(Account::Own);
    let ca = sandbox.nagaya(&["trust", "--print"]).good().out;
    let message = r"printf '\0\0\0\0\5\12\3bob'";
    let script = format!(
        "{message} | curl -sS --http2 --cacert {} -D - -H 'content-type: application/grpc' -H 'te: trailers' \
         --data-binary @- https://greeter.door.localhost:{}/demo.Greeter/Greet | tr -d '\\0\\r'",
        ca.trim(),
        sandbox.front_door()
    );
    let answer = finish(sandbox.command("bash").args(["-c", &script])).good().out;
    assert!(answer.contains("Good day, bob!") && answer.contains("grpc-status: 0"), "{answer}");

    sandbox.write(
        "upgrade.py",
        "import socket, ssl, sys\ncontext = ssl.create_default_context(cafile=sys.argv[2])\n\
         s = context.wrap_socket(socket.create_connection(('127.0.0.1', int(sys.argv[1]))), \
         server_hostname='web.door.localhost')\n\
         s.sendall(b'GET / HTTP/1.1\\r\\nHost: web.door.localhost\\r\\nConnection: Upgrade\\r\\nUpgrade: echo\\r\\n\\r\\n')\n\
         head = b''\nwhile b'\\r\\n\\r\\n' not in head: head += s.recv(1)\n\
         s.sendall(b'hello')\nprint(head.split()[1].decode(), s.recv(5).decode())\n",
    );
    let mut upgrade = sandbox.command("python3");
    upgrade.args(["upgrade.py", &sandbox.front_door().to_string(), ca.trim()]);
    assert_eq!(finish(&mut upgrade).good().out, "101 HELLO\n");
}

#[test]
fn two_engines_that_need_an_authority_at_once_share_one() {
    let sandbox = door(Account::Own);
    sandbox.write("two/http1.py", HTTP1);
    sandbox.write("two/nagaya.yaml", manifest().replace("name: door", "name: two"));
    sandbox.nagaya(&["-f", "two/nagaya.yaml", "up", "-d", "--wait", "web"]).good();
    let rows = sandbox.nagaya(&["ls", "--json"]).good().json();
    let urls: Vec<String> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| format!("https://web.{}.localhost:{}/", row["name"].as_str().unwrap(), row["front_door"]))
        .collect();
    assert_eq!(urls.len(), 2);
    let script = format!("for url in {0} {0} {0}; do curl -sSk -o /dev/null $url & done; wait", urls.join(" "));
    finish(sandbox.command("bash").args(["-c", &script])).good();
    for url in &urls {
        sandbox.curl(&["-o", "/dev/null", url]).good();
    }
}

#[test]
fn a_request_is_for_one_host_however_it_says_so() {
    let sandbox = door(Account::Own);
    let status = |words: &[&str]| {
        let all = [&["-o", "/dev/null", "-w", "%{http_code}"], words].concat();
        sandbox.curl(&all).good().out
    };
    let web = "http://127.0.0.1:DOOR/";
    assert_eq!(status(&["-H", "Host: web.door.localhost", web]), "200");
    assert_eq!(status(&["-H", "Host:", web]), "400");
    assert_eq!(status(&["-H", "Host: a b", web]), "400");
    let mut two = TcpStream::connect(("127.0.0.1", sandbox.front_door())).unwrap();
    let head = b"GET / HTTP/1.1\r\nHost: web.door.localhost\r\nHost: example.com\r\nConnection: close\r\n\r\n";
    std::io::Write::write_all(&mut two, head).unwrap();
    let answer = std::io::read_to_string(&mut two).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    // The whole URL in the request line, as to a proxy: it counts, and the service is told no other Host.
    let absolute = ["--request-target", "http://web.door.localhost/x", "-H", "Host: example.com", web];
    let told: Value = sandbox.curl(&absolute).good().json();
    assert_eq!((told["path"].as_str(), told["headers"]["Host"].as_str()), (Some("/x"), Some("web.door.localhost")));
}

#[test]
fn a_foreign_name_learns_nothing() {
    let sandbox = door(Account::Own);
    for name in ["example.com", "door.localhost.example.com", "web.other.localhost", "xdoor.localhost"] {
        let host = format!("Host: {name}:DOOR");
        let answer = sandbox.curl(&["-i", "-H", &host, "-H", "Accept: text/html", "http://127.0.0.1:DOOR/"]).good().out;
        assert!(answer.starts_with("HTTP/1.1 421"), "{answer}");
        assert!(!answer.contains("web") && !answer.contains("greeter") && !answer.contains("door."), "{answer}");
    }
}

#[test]
fn connect_leads_to_services_and_to_nobody_else() {
    let sandbox = door(Account::Own);
    sandbox.nagaya(&["trust", "--print"]).good();
    let tunnel = ["-p", "-x", "http://127.0.0.1:DOOR", "--noproxy", "-", "-o", "/dev/null", "-w", "%{http_code}"];
    for url in ["http://web.door.localhost/", "https://web.door.localhost/", "https://web.door.localhost:DOOR/"] {
        assert_eq!(sandbox.curl(&[&tunnel[..], &[url]].concat()).good().out, "200", "{url}");
    }
    for url in [
        "http://example.com/",
        "http://nobody.door.localhost/",
        "http://127.0.0.1:22/",
        "http://raw.door.localhost:22/",
    ] {
        assert_ne!(sandbox.curl(&[&tunnel[..], &[url]].concat()).code, 0, "{url}");
    }
    sandbox.write(
        "tunnel.py",
        "import socket, sys\ns = socket.create_connection(('127.0.0.1', int(sys.argv[1])))\nf = s.makefile('rwb')\n\
         f.write(b'CONNECT raw.door.localhost:7000 HTTP/1.1\\r\\nHost: raw.door.localhost:7000\\r\\n\\r\\n'); f.flush()\n\
         while f.readline().strip(): pass\nprint(f.readline().decode().strip())\nf.write(b'abc\\n'); f.flush()\n\
         print(f.readline().decode().strip())\n",
    );
    let mut client = sandbox.command("python3");
    client.args(["tunnel.py", &sandbox.front_door().to_string()]);
    assert_eq!(finish(&mut client).good().out, "welcome\ncba\n");
}

#[test]
fn the_workspace_has_a_page_and_so_has_a_service_that_does_not_answer() {
    let manifest = "name: door\nservices:\n  \
        web: { command: 'exec python3 -m http.server --bind 127.0.0.1 $PORT', ports: { http: 80 } }\n  \
        broken: { command: \"echo '<b>last</b> words'; exit 3\", ports: { http: 8080 } }\n";
    let sandbox = Sandbox::new(manifest);
    sandbox.nagaya(&["up", "-d"]).good();
    until("one has failed and the other is ready", || {
        sandbox.row("broken")["state"] == "failed" && sandbox.row("web")["state"] == "ready"
    });
    let number = sandbox.front_door();
    let index = sandbox.curl(&["http://door.localhost:DOOR/"]).good().out;
    for text in [&format!("href=\"http://web.door.localhost:{number}\""), ">ready<", ">failed<", "exited with 3"] {
        assert!(index.contains(text), "no `{text}` in\n{index}");
    }
    assert!(index.contains(&format!("href=\"https://web.door.localhost:{number}\"")), "{index}");

    let page = sandbox.curl(&["-i", "-H", "Accept: text/html,*/*", "http://broken.door.localhost:DOOR/"]).good().out;
    assert!(page.starts_with("HTTP/1.1 503") && page.contains("l5d-err: broken+has+failed"), "{page}");
    for text in ["exited with 3", "&lt;b&gt;last&lt;/b&gt; words", "nagaya why broken"] {
        assert!(page.contains(text), "no `{text}` in\n{page}");
    }
    let plain = sandbox.curl(&["http://broken.door.localhost:DOOR/"]).good().out;
    assert_eq!(plain, "nagaya: broken has failed\nto see more: nagaya why broken\n");
    let missing = sandbox.curl(&["-i", "-H", "Accept: text/html", "http://nobody.door.localhost:DOOR/"]).good().out;
    assert!(missing.starts_with("HTTP/1.1 404") && missing.contains("web.door.localhost"), "{missing}");
}

#[test]
fn url_tells_all_forms_of_an_address() {
    let published = manifest().replace("ports: { http: 80 } }", "ports: { http: 80 }, publish: '18473:80' }");
    let sandbox = Sandbox::new(&published);
    sandbox.write("http1.py", HTTP1);
    sandbox.write("raw.py", RAW);
    sandbox.up();
    let number = sandbox.front_door();
    let rows = sandbox.nagaya(&["url", "--json"]).good().json();
    let of = |service: &str| rows.as_array().unwrap().iter().find(|row| row["service"] == service).unwrap().clone();
    assert_eq!(of("web")["url"], format!("http://web.door.localhost:{number}"));
    assert_eq!(of("web")["https"], format!("https://web.door.localhost:{number}"));
    assert!(of("web")["loopback"].as_str().unwrap().starts_with("http://127.0.0.1:"));
    assert_eq!(of("raw")["https"], Value::Null);
    assert_eq!(sandbox.nagaya(&["url", "web", "--https"]).good().out.trim(), of("web")["https"]);
    sandbox.curl(&["-o", "/dev/null", of("web")["loopback"].as_str().unwrap()]).good();
}

#[test]
fn a_crowd_at_the_door_is_refused_and_leaves_room_for_commands() {
    let sandbox = Sandbox::of(Account::unprivileged(), &manifest());
    sandbox.write("http1.py", HTTP1);
    sandbox.write("raw.py", RAW);
    let up = format!("ulimit -Hn 200; ulimit -n 200; {} up -d --wait", binary().display());
    finish(sandbox.command("bash").args(["-c", &up])).good();
    let at = ("127.0.0.1", sandbox.front_door());
    // They say nothing. One that is refused is told so at once, by a reset or an end.
    let connect = || {
        let stream = TcpStream::connect(at).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        stream
    };
    let is_refused = |mut stream: &TcpStream| match stream.read(&mut [0]) {
        Ok(count) => count == 0,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    };
    let crowd: Vec<TcpStream> = (0..250).map(|_| connect()).collect();
    until("the last is refused", || is_refused(&crowd[249]));
    assert!(is_refused(&connect()), "the next too");
    let waits =
        |mut stream: &TcpStream| matches!(stream.read(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock);
    let kept = crowd.iter().take(20).filter(|stream| waits(stream));
    assert_eq!(kept.count(), 20, "the first stay");
    assert_eq!(sandbox.row("web")["state"], "ready");
    sandbox.nagaya(&["exec", "web", "--", "true"]).good();
    drop(crowd);
    until("it serves again", || sandbox.curl(&["http://web.door.localhost:DOOR/a"]).code == 0);
    sandbox.nagaya(&["down"]).good();
}

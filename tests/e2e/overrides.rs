//! A shop in which `web` calls `orders` and that calls `users`, of which there are two versions: one request in a crowd is
//! led to the second, through services that forward headers and through services that forward none.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::namerd::client::{Client, free_port};
use crate::support::sandbox::{Account, Sandbox, full, until};

/// `link.py [NEXT [FIELD…]]` answers with its version, or with what the next one says, to which it forwards these fields.
const LINK: &str = r#"
import http.server, os, sys, urllib.request

class Link(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if len(sys.argv) == 1:
            body = os.environ.get("NAME", "v1").encode()
        else:
            fields = {name: self.headers[name] for name in sys.argv[2:] if name in self.headers}
            with urllib.request.urlopen(urllib.request.Request(sys.argv[1], headers=fields), timeout=20) as answer:
                body = answer.read()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args): pass

class Listener(http.server.ThreadingHTTPServer):
    request_queue_size = 128

Listener(("0.0.0.0", 8080), Link).serve_forever()
"#;

fn shop(account: Account, forwarded: &str) -> Sandbox {
    let sandbox = written(account, forwarded);
    sandbox.up();
    sandbox
}

/// A shop that does not run yet.
fn written(account: Account, forwarded: &str) -> Sandbox {
    let sandbox = Sandbox::of(
        account,
        &format!(
            "
name: shop
services:
  web: {{ command: 'exec python3 link.py http://orders:8080/ {forwarded}', ports: {{ http: 8080 }}, depends_on: [orders] }}
  orders: {{ command: 'exec python3 link.py http://users:8080/ {forwarded}', ports: {{ http: 8080 }}, depends_on: [users] }}
  users:
    command: exec python3 link.py
    ports: {{ http: 8080 }}
    versions: {{ v1: {{ environment: {{ NAME: v1 }} }}, v2: {{ environment: {{ NAME: v2 }} }} }}
"
        ),
    );
    sandbox.write("link.py", LINK);
    sandbox
}

/// Callers who ask for no version, 100 times a second together, until it is over.
struct Crowd {
    over: Arc<AtomicBool>,
    callers: Vec<JoinHandle<Vec<String>>>,
}

impl Crowd {
    fn at(door: u16) -> Self {
        const CALLERS: u32 = 10;
        let over = Arc::new(AtomicBool::new(false));
        let caller = |number: u32| {
            let over = over.clone();
            std::thread::spawn(move || {
                let (pause, mut answers) = (Duration::from_millis(10) * CALLERS, Vec::new());
                // Not all at once.
                let mut next = Instant::now() + Duration::from_millis(10) * number;
                while !over.load(Ordering::SeqCst) {
                    std::thread::park_timeout(next.saturating_duration_since(Instant::now()));
                    next += pause;
                    answers.push(ask(door, "/", ""));
                }
                answers
            })
        };
        Self { callers: (0..CALLERS).map(caller).collect(), over }
    }

    /// Everything that they were answered.
    fn end(self) -> Vec<String> {
        self.over.store(true, Ordering::SeqCst);
        self.callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect()
    }
}

/// Asks `web` at the front door, and gives the whole answer.
fn ask(door: u16, target: &str, fields: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", door)).unwrap();
    let host = format!("Host: web.shop.localhost:{door}");
    write!(stream, "GET {target} HTTP/1.1\r\n{host}\r\n{fields}Connection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn door(sandbox: &Sandbox) -> u16 {
    let url = sandbox.nagaya(&["url", "web"]).good().out;
    let digits = url.split("localhost:").nth(1).map(|rest| rest.chars().take_while(char::is_ascii_digit).collect());
    let digits: String = digits.expect("a front door");
    digits.parse().unwrap()
}

fn ends_with(answer: &str, version: &str) -> bool {
    answer.starts_with("HTTP/1.1 200") && answer.ends_with(version)
}

const SECOND: &str = "l5d-dtab: /svc/users => /#/local/users-v2\r\n";

/// The links of what `orders` asked of `users`: how many of each kind.
fn links(records: &[Value]) -> [usize; 4] {
    let count = |link: &str| records.iter().filter(|it| it["from"] == "orders" && it["link"] == link).count();
    ["exact", "certain", "inferred", "none"].map(count)
}

#[test]
fn one_request_of_a_crowd_is_led_to_the_other_version_where_headers_are_forwarded() {
    for forwarded in ["l5d-ctx-dtab", "traceparent", "x-request-id"] {
        let sandbox = shop(Account::Own, forwarded);
        let door = door(&sandbox);
        let (over, others) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let crowd: Vec<_> = (0..4)
            .map(|_| {
                let (over, others) = (over.clone(), others.clone());
                std::thread::spawn(move || {
                    while !over.load(Ordering::SeqCst) {
                        let answer = ask(door, "/", "");
                        assert!(ends_with(&answer, "v1"), "{answer}");
                        others.fetch_add(1, Ordering::SeqCst);
                    }
                })
            })
            .collect();
        for _ in 0..20 {
            let answer = ask(door, "/", SECOND);
            assert!(ends_with(&answer, "v2"), "{forwarded}: {answer}");
        }
        until("the crowd was served", || others.load(Ordering::SeqCst) >= 100);
        over.store(true, Ordering::SeqCst);
        crowd.into_iter().for_each(|caller| caller.join().unwrap());
        let records = sandbox.requests();
        if forwarded != "l5d-ctx-dtab" {
            let [exact, certain, inferred, none] = links(&records);
            assert!(exact >= 120 && [certain, inferred, none] == [0; 3], "{exact} {certain} {inferred} {none}");
        }
        let second = records.iter().find(|it| it["version"] == "v2").expect("a call of the second version");
        let by = "override /svc/users=>/#/local/users-v2";
        assert_eq!(json!([second["to"], second["from"], second["routed_by"]]), json!(["users", "orders", by]));
    }
}

#[test]
fn services_that_forward_nothing_are_seen_through_where_that_is_certain() {
    for account in Account::all() {
        let sandbox = shop(account, "");
        let door = door(&sandbox);
        for turn in 0..10 {
            let (fields, version) = if turn % 2 == 0 { (SECOND, "v2") } else { ("", "v1") };
            let answer = ask(door, "/", fields);
            assert!(ends_with(&answer, version), "{answer}");
        }
        let records = sandbox.requests();
        assert_eq!(links(&records), [0, 10, 0, 0]);
        let of_one = |from: &str| {
            records.iter().filter(|it| it["from"] == from).map(|it| it["trace_id"].clone()).collect::<Vec<_>>()
        };
        assert_eq!(of_one("web"), of_one("(front door)"));
        assert_eq!(of_one("orders"), of_one("(front door)"));
        // In a crowd it is not: then nobody is led astray.
        let crowd: Vec<_> = (0..200).map(|_| std::thread::spawn(move || ask(door, "/", ""))).collect();
        let own: Vec<_> = (0..10).map(|_| ask(door, "/", SECOND)).collect();
        for answer in crowd.into_iter().map(|caller| caller.join().unwrap()) {
            assert!(ends_with(&answer, "v1"), "{answer}");
        }
        assert!(own.iter().all(|answer| answer.starts_with("HTTP/1.1 200")), "{own:?}");
        let records = sandbox.requests();
        let [exact, certain, inferred, none] = links(&records);
        assert_eq!((exact, certain + inferred, none), (0, 220, 0));
        let withheld = |it: &&Value| it["withheld"].as_str().is_some_and(|text| text.contains("l5d-ctx-dtab"));
        let second = |it: &&Value| it["version"] == "v2" && it["link"] == "certain";
        println!(
            "{certain} certain, {inferred} inferred, {} withheld, {} of 15 led to the second version",
            records.iter().filter(withheld).count(),
            records.iter().filter(second).count()
        );
        let astray = |it: &Value| it["version"] == "v2" && it["link"] != "certain";
        assert!(!records.iter().any(astray), "what is inferred carries nothing");
    }
}

/// One caller asks for the second version again and again among 100 requests a second that do not.
#[test]
fn among_a_hundred_requests_a_second_only_those_that_ask_reach_the_second_version() {
    for forwarded in ["traceparent", ""] {
        let sandbox = shop(Account::Own, forwarded);
        let door = door(&sandbox);
        let (crowd, begun) = (Crowd::at(door), Instant::now());
        let wanted = Duration::from_secs(if full() { 20 } else { 3 });
        let (mut reached, mut asked) = (0, 0);
        // On a busy machine it takes a while until services that forward nothing have but one request at a time.
        while begun.elapsed() < wanted || (reached == 0 && begun.elapsed() < 10 * wanted) {
            let answer = ask(door, "/", SECOND);
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
            reached += usize::from(ends_with(&answer, "v2"));
            asked += 1;
        }
        let others = crowd.end();
        assert!(others.iter().all(|answer| ends_with(answer, "v1")), "{others:?}");
        let records = sandbox.requests();
        let [exact, certain, inferred, none] = links(&records);
        let refused = records.iter().filter(|it| it["withheld"].is_string()).count();
        println!(
            "forwarding {forwarded:?}: {reached} of {asked} reached the second version, {} others the first; of the last \
             calls of users {exact} were exact, {certain} certain, {inferred} inferred; {refused} calls of orders or users \
             were refused entries that may have been theirs",
            others.len()
        );
        assert_eq!(none, 0);
        if forwarded.is_empty() {
            // What is not certain is refused, and the usual version answers: nobody is led astray.
            assert!(reached > 0 && certain > 0 && exact == 0, "{reached} {certain} {exact}");
        } else {
            assert_eq!((reached, certain + inferred + refused), (asked, 0));
        }
    }
}

/// Through namerd's API, as that says when a change is in force.
#[test]
fn changes_of_the_table_under_load_lose_no_request() {
    let sandbox = written(Account::Own, "traceparent");
    let api = Client::at(free_port());
    let at = format!("127.0.0.1:{}", api.port);
    sandbox.nagaya(&["up", "-d", "--wait", "--wait-timeout", "60s", "--namerd", &at]).good();
    let door = door(&sandbox);
    let crowd = Crowd::at(door);
    let probe = std::fs::File::create(sandbox.path("probe")).unwrap();
    let (mut took, mut bare): (Vec<Duration>, Vec<Duration>) = (0..if full() { 1000 } else { 200 })
        .map(|number| {
            let version = ["v1", "v2"][number % 2];
            let (dtab, begun) = (format!("/svc/users => /#/local/users-{version}"), Instant::now());
            let put = api.ask("PUT", "/api/1/dtabs/default", &[("content-type", "application/dtab")], &dtab);
            let took = begun.elapsed();
            assert_eq!(put.status, 204, "{put:?}");
            let answer = ask(door, "/", "");
            assert!(ends_with(&answer, version), "{number}: {answer}");
            // What a request and the disk take just then, of which a change has one each.
            let begun = Instant::now();
            assert_eq!(api.ask("GET", "/api/1/dtabs/default", &[], "").status, 200);
            (&probe).write_all(&[b'x'; 200]).and_then(|()| probe.sync_data()).unwrap();
            (took, begun.elapsed())
        })
        .unzip();
    let others = crowd.end();
    assert!(others.iter().all(|answer| answer.starts_with("HTTP/1.1 200")), "{others:?}");
    let of_100 = |times: &mut Vec<Duration>| {
        times.sort();
        [50, 99, 100].map(|part: usize| times[(times.len() * part).div_ceil(100) - 1])
    };
    let (changes, bare) = (of_100(&mut took), of_100(&mut bare));
    println!(
        "{} changes, each in force for the next request: {changes:?} from the change to its answer in the middle, for 99 of \
         100, and at most; {bare:?} for a request and the disk alone; {} other requests, none lost",
        took.len(),
        others.len()
    );
    let limit = Duration::from_millis(5);
    assert!(!full() || changes[0] < limit, "{changes:?}, {bare:?}");
    // On a machine that others use as well a request and the disk alone are late so often that the last of 100 says nothing.
    match bare[1] < limit {
        true => assert!(!full() || changes[1].saturating_sub(bare[1]) < limit, "{changes:?}, {bare:?}"),
        false => println!("the machine is not quiet: only the middle is held to {limit:?}"),
    }
}

#[test]
fn browsers_bring_entries_in_a_link_and_keep_them_in_a_cookie() {
    let sandbox = shop(Account::Own, "traceparent");
    let door = door(&sandbox);
    let entry = "%2Fsvc%2Fusers%20%3D%3E%20%2F%23%2Flocal%2Fusers-v2";
    // A program has what it asks for at once, a browser a cookie.
    let answer = ask(door, &format!("/?nagaya-dtab={entry}"), "");
    assert!(ends_with(&answer, "v2"), "{answer}");
    let browser = "Accept: text/html\r\n";
    let answer = ask(door, &format!("/a?x=1&nagaya-dtab={entry}"), browser);
    assert!(answer.starts_with("HTTP/1.1 307") && answer.contains("location: /a?x=1\r\n"), "{answer}");
    let cookie = answer.split("set-cookie: ").nth(1).and_then(|rest| rest.split(';').next()).expect("a cookie");
    let answer = ask(door, "/a?x=1", &format!("{browser}Cookie: other=1; {cookie}\r\n"));
    assert!(ends_with(&answer, "v2"), "{answer}");
    let answer = ask(door, "/?nagaya-dtab=", &format!("{browser}Cookie: {cookie}\r\n"));
    assert!(answer.starts_with("HTTP/1.1 307") && answer.contains("Max-Age=0"), "{answer}");
    let answer = ask(door, "/?nagaya-dtab=/svc/users%20-%3E%20/b", browser);
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("line 1, column 12"), "{answer}");
    let answer = ask(door, "/?nagaya-dtab=/svc/*%20%3D%3E%20/$/inet/example.com/80", "");
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("leads out of the workspace"), "{answer}");
    // Nor does a page of another site lead out of it, whose browser can be brought to send the field.
    for page in ["Sec-Fetch-Site: cross-site\r\n", "Origin: http://evil.example\r\n", "Origin: null\r\n"] {
        for outside in ["/$/inet/example.com/80", "/#/remote/staging/users"] {
            let answer = ask(door, "/", &format!("{page}l5d-dtab: /svc/users => {outside}\r\n"));
            assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("no page of another site"), "{answer}");
        }
        let answer = ask(door, "/", &format!("{page}l5d-dtab: /svc/users => /#/local/users-v2\r\n"));
        assert!(ends_with(&answer, "v2"), "{answer}");
    }
    // One of this machine may, whatever its port: nobody else has it.
    let page = "Sec-Fetch-Site: cross-site\r\nOrigin: http://localhost:5173\r\n";
    let answer = ask(door, "/", &format!("{page}l5d-dtab: /svc/web => /$/inet/127.0.0.1/1\r\n"));
    assert!(answer.starts_with("HTTP/1.1 502"), "{answer}");
    let paths: Vec<_> =
        sandbox.requests().into_iter().filter(|it| it["from"] == "(front door)").map(|it| it["path"].clone()).collect();
    assert!(paths.contains(&json!("/a?x=1")), "{paths:?}");
}

#[test]
fn routes_lead_around_a_version_that_is_stopped() {
    for account in Account::all() {
        let sandbox = shop(account, "");
        let door = door(&sandbox);
        sandbox.nagaya(&["dtab", "set", "/svc/users => /#/local/users-v2"]).good();
        assert!(ends_with(&ask(door, "/", ""), "v2"));
        sandbox.nagaya(&["stop", "users"]).good();
        let answer = ask(door, "/", "");
        assert!(ends_with(&answer, "v2"), "{answer}");
        sandbox.nagaya(&["stop", "users-v2"]).good();
        assert!(ask(door, "/", "").contains("HTTP/1.1 50") || !ends_with(&ask(door, "/", ""), "v2"));
        sandbox.nagaya(&["start", "users"]).good();
        assert!(ends_with(&ask(door, "/", ""), "v1"));
    }
}

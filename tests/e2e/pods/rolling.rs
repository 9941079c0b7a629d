//! One instance takes the place of another while calls come in, and none of them is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use tokio::net::TcpStream;
use tokio::time::MissedTickBehavior;

use super::{SLOW, workspace};
use crate::support::sandbox::{Account, Sandbox, binary, full, until};

fn manifest() -> String {
    format!(
        "name: rolling\nservices:\n  \
         web: {{ command: [python3, slow.py, '8080', '0.02'], ports: {{ http: 8080 }} }}\n  \
         greeter: {{ command: [{:?}, demo-service, greeter], ports: {{ grpc: 50051 }}, readiness: {{ grpc: {{}} }} }}\n",
        binary()
    )
}

/// Callers that keep their connections and ask at a steady pace.
struct Load {
    is_over: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
    thread: JoinHandle<Vec<String>>,
}

/// Callers by HTTP/1.1, each with a connection; and those that share one of HTTP/2.
const CALLERS: usize = 10;
/// So often each of them asks.
const PACE: Duration = Duration::from_millis(100);

impl Load {
    /// 100 requests a second by HTTP/1.1 to `web`, and as many by gRPC to `greeter`.
    fn begin(door: u16) -> Self {
        let (is_over, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (over, count) = (is_over.clone(), asked.clone());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let shared = greeter(door).await;
                let callers = (0..CALLERS).map(|_| {
                    let (over, count) = (over.clone(), count.clone());
                    tokio::spawn(async move {
                        let mut sender = web(door).await;
                        paced(&over, &count, async move || {
                            sender.ready().await.map_err(|error| error.to_string())?;
                            let request = Request::get("/").header("host", format!("web.rolling.localhost:{door}"));
                            let answer = sender.send_request(request.body(Full::default()).unwrap()).await;
                            let answer = answer.map_err(|error| error.to_string())?;
                            told(answer).await.map(drop)
                        })
                        .await
                    })
                });
                let callers: Vec<_> = callers.collect();
                let calls = (0..CALLERS).map(|_| {
                    let (over, count, mut sender) = (over.clone(), count.clone(), shared.clone());
                    tokio::spawn(async move {
                        paced(&over, &count, async move || {
                            let url = format!("http://greeter.rolling.localhost:{door}/grpc.health.v1.Health/Check");
                            let request =
                                Request::post(url).header("content-type", "application/grpc").header("te", "trailers");
                            let body = Full::from(Bytes::from_static(&[0; 5]));
                            let answer = sender.send_request(request.body(body).unwrap()).await;
                            let answer = answer.map_err(|error| error.to_string())?;
                            match told(answer).await?.as_deref() {
                                Some("0") => Ok(()),
                                status => Err(format!("grpc-status {status:?}")),
                            }
                        })
                        .await
                    })
                });
                let calls: Vec<_> = calls.collect();
                let mut failures = Vec::new();
                for caller in callers.into_iter().chain(calls) {
                    failures.extend(caller.await.unwrap());
                }
                failures
            })
        });
        Self { is_over, asked, thread }
    }

    /// How many were asked, and what went wrong.
    fn end(self) -> (usize, Vec<String>) {
        self.is_over.store(true, Ordering::SeqCst);
        let failures = self.thread.join().unwrap();
        (self.asked.load(Ordering::SeqCst), failures)
    }
}

/// Asks at a steady pace until it is over; what went wrong is returned.
async fn paced(
    over: &AtomicBool,
    asked: &AtomicUsize,
    mut ask: impl AsyncFnMut() -> Result<(), String>,
) -> Vec<String> {
    let mut ticks = tokio::time::interval(PACE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut failures = Vec::new();
    while !over.load(Ordering::SeqCst) {
        ticks.tick().await;
        failures.extend(ask().await.err());
        asked.fetch_add(1, Ordering::SeqCst);
    }
    failures
}

/// Reads an answer to its end; the gRPC status in its trailers, where it has one.
async fn told(answer: Response<hyper::body::Incoming>) -> Result<Option<String>, String> {
    let (status, early) = (answer.status(), answer.headers().get("l5d-err").cloned());
    let body = answer.into_body().collect().await.map_err(|error| error.to_string())?;
    if status != 200 || early.is_some() {
        return Err(format!("{status} {early:?}"));
    }
    let trailer = body.trailers().and_then(|trailers| trailers.get("grpc-status"));
    Ok(trailer.and_then(|status| status.to_str().ok()).map(str::to_owned))
}

async fn web(door: u16) -> http1::SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(("127.0.0.1", door)).await.unwrap();
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

async fn greeter(door: u16) -> http2::SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(("127.0.0.1", door)).await.unwrap();
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

fn rolling(account: Account) -> Sandbox {
    let sandbox = workspace(account, &manifest());
    sandbox.write("slow.py", SLOW);
    sandbox.up();
    sandbox
}

#[test]
fn no_request_is_lost_while_services_are_replaced_again_and_again() {
    let sandbox = rolling(Account::unprivileged());
    let load = Load::begin(sandbox.front_door());
    let rounds = if full() { 50 } else { 20 };
    let mut seen = vec![sandbox.pid("web")];
    for _ in 0..rounds {
        sandbox.nagaya(&["restart", "web", "greeter"]).good();
        let pid = sandbox.pid("web");
        assert!(!seen.contains(&pid), "{pid} is one from before");
        seen.push(pid);
    }
    let (asked, failures) = load.end();
    assert_eq!(failures, Vec::<String>::new(), "of {asked}");
    assert!(asked > rounds * 10, "{asked} requests say little");
    // Nothing is left of those before.
    assert_eq!((sandbox.rows("web").len(), sandbox.rows("greeter").len()), (1, 1));
    assert_eq!(sandbox.row("web")["restarts"], 0);
}

#[test]
fn a_new_version_that_does_not_come_leaves_the_old_one_serving() {
    let sandbox = rolling(Account::Own);
    let pid = sandbox.pid("web");
    sandbox.write("nagaya.yaml", manifest().replace("[python3, slow.py, '8080', '0.02']", "[sh, -c, exit 3]"));
    sandbox.nagaya(&["up", "-d"]).good();
    until("the new one has failed", || sandbox.rows("web").iter().any(|row| row["state"] == "failed"));
    let rows = sandbox.rows("web");
    let states: Vec<_> = rows.iter().map(|row| json!([row["instance"], row["state"]])).collect();
    assert_eq!(states, [json!([1, "ready"]), json!([2, "failed"])]);
    assert_eq!(rows[0]["reason"], "serves until #2 is ready, which has failed: exited with 3");
    assert_eq!(rows[0]["pid"], pid);
    assert_eq!(sandbox.curl(&["http://web.rolling.localhost:DOOR/"]).good().out, "ok");
    let why = sandbox.nagaya(&["why", "web"]).good().out;
    assert!(why.contains("which has failed"), "{why}");
    // Asked for by name, what failed is an error; the old one serves all the same.
    sandbox.nagaya(&["restart", "web"]).ended(1).says(&["web: exited with 3"]);
    assert_eq!(sandbox.curl(&["http://web.rolling.localhost:DOOR/"]).good().out, "ok");
    sandbox.write("nagaya.yaml", manifest());
    sandbox.nagaya(&["up", "-d", "--wait"]).good();
    until("there is one again", || sandbox.rows("web").len() == 1);
    assert_ne!(sandbox.pid("web"), pid);
}

#[test]
fn scaling_adds_instances_and_takes_away_none_that_answers() {
    let sandbox = rolling(Account::unprivileged());
    let load = Load::begin(sandbox.front_door());
    for count in [3, 1, 2, 1] {
        sandbox.nagaya(&["scale", &format!("web={count}"), &format!("greeter={count}")]).good();
        assert_eq!((sandbox.rows("web").len(), sandbox.rows("greeter").len()), (count, count));
    }
    let (asked, failures) = load.end();
    assert_eq!(failures, Vec::<String>::new(), "of {asked}");
    sandbox.nagaya(&["scale", "web=0"]).ended(2).says(&["cannot be scaled to nothing", "nagaya stop web"]);
    sandbox.nagaya(&["scale", "nobody=2"]).ended(2).says(&["there is no service `nobody`"]);
    sandbox.nagaya(&["scale", "web"]).ended(2).says(&["SERVICE=N"]);
    // What was asked for at run time holds until the manifest says otherwise.
    sandbox.nagaya(&["scale", "web=2"]).good();
    sandbox.nagaya(&["up", "-d", "--wait"]).good();
    assert_eq!(sandbox.rows("web").len(), 2);
    sandbox.nagaya(&["up", "-d", "--wait", "--scale", "web=3"]).good();
    assert_eq!(sandbox.rows("web").len(), 3);
    sandbox.write("nagaya.yaml", manifest().replace("8080 } }", "8080 }, replicas: 2 }"));
    sandbox.nagaya(&["up", "-d", "--wait"]).good();
    until("there are two", || sandbox.rows("web").len() == 2);
}

#[test]
fn a_hundred_first_calls_start_a_lazy_service_once_and_it_goes_when_nobody_calls() {
    let manifest = "
name: rolling
services:
  web: { command: [sleep, infinity] }
  lazy: { command: [sh, -c, 'echo $$ >> started; exec python3 slow.py 80 0.02'], ports: { http: 80 }, lazy: true, idle_timeout: 2s }
";
    let sandbox = workspace(Account::unprivileged(), manifest);
    sandbox.write("slow.py", SLOW);
    sandbox.up();
    assert_eq!(sandbox.row("lazy")["state"], "idle");
    let script = "for i in $(seq 100); do curl -sS -o /dev/null -w '%{http_code}\\n' http://lazy/ & done; wait";
    let told = sandbox.told("web", script);
    assert_eq!(told.lines().filter(|line| *line == "200").count(), 100, "{told}");
    let starts = || std::fs::read_to_string(sandbox.path("started")).unwrap().lines().count();
    assert_eq!(starts(), 1);
    until("it is idle again", || sandbox.row("lazy")["state"] == "idle");
    assert_eq!(sandbox.told("web", "curl -sS http://lazy/"), "ok");
    assert_eq!(starts(), 2);
}

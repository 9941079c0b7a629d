//! Copies of gRPC calls, whose outcome is in their trailers.

use serde_json::{Value, json};

use super::{count, mirror};
use crate::e2e::peers::built;
use crate::support::sandbox::{Account, Sandbox, until};

/// A gRPC server without messages of its own: bytes, and what they ask for.
const GRPC: &str = r#"
import grpc, os
from concurrent import futures

NAME = os.environ["NAME"]

def unary(request, context):
    context.set_trailing_metadata([("x-by", NAME)])
    if NAME == "v2" and request == b"deny":
        context.abort(grpc.StatusCode.PERMISSION_DENIED, "not you")
    return NAME.encode() if request == b"who" else request

def chat(requests, context):
    for request in requests:
        yield request
    if NAME == "v2":
        context.abort(grpc.StatusCode.DATA_LOSS, "all was said")

class Handler(grpc.GenericRpcHandler):
    def service(self, call):
        if call.method.endswith("/Chat"):
            return grpc.stream_stream_rpc_method_handler(chat)
        return grpc.unary_unary_rpc_method_handler(unary)

server = grpc.server(futures.ThreadPoolExecutor(16))
server.add_generic_rpc_handlers([Handler()])
server.add_insecure_port("0.0.0.0:50051")
server.start()
server.wait_for_termination()
"#;

/// Says what it was answered; `Chat` is read to its end, and then once left in the middle.
const CALLS: &str = r#"
import grpc, sys, threading

channel = grpc.insecure_channel("users:50051")
unary, chat = channel.unary_unary("/shop.Users/Get"), channel.stream_stream("/shop.Users/Chat")
for request in (b"same", b"who", b"deny"):
    print(unary(request, timeout=20).decode())
print(b"".join(chat(iter([b"a", b"b", b"c"]), timeout=20)).decode())
held = threading.Event()

def words():
    yield b"left"
    held.wait()

call = chat(words(), timeout=20)
print(next(call).decode())
call.cancel()
held.set()
"#;

#[test]
fn grpc_calls_are_copied_and_their_status_is_compared() {
    let python = built("python/bin/python");
    let sandbox = Sandbox::of(
        Account::Own,
        &format!(
            "
name: shop
services:
  shell: {{ command: [sleep, infinity], depends_on: [users] }}
  users:
    command: [{python}, server.py]
    ports: {{ grpc: 50051 }}
    versions: {{ v1: {{ environment: {{ NAME: v1 }} }}, v2: {{ environment: {{ NAME: v2 }} }} }}
",
            python = python.display()
        ),
    );
    sandbox.write("server.py", GRPC);
    sandbox.write("calls.py", CALLS);
    sandbox.up();
    sandbox.nagaya(&["mirror", "users", "v2", "--diff", "--writes"]).good();
    let calls = ["exec", "shell", "--", &python.to_string_lossy(), "calls.py"];
    assert_eq!(sandbox.nagaya(&calls).good().out, "same\nv1\ndeny\nabc\nleft\n");
    until("all are compared", || {
        let told = mirror(&sandbox);
        count(&told, "same") + count(&told, "different") == 4 && told["skipped"] != json!({})
    });
    let told = mirror(&sandbox);
    assert_eq!([count(&told, "answered"), count(&told, "same"), count(&told, "failed")], [4, 1, 0], "{told:#}");
    assert_eq!(told["skipped"], json!({ "its upload was not whole": 1 }));
    let latest = told["latest"].as_array().unwrap();
    let status = |original: &str, copy: &str| json!({ "at": "grpc-status", "original": original, "copy": copy });
    let has = |wanted: &Value| latest.iter().any(|it| it["differences"].as_array().unwrap().contains(wanted));
    assert!(has(&status("0", "7")) && has(&status("0", "15")), "{told:#}");
    let body = latest.iter().filter(|it| it["differences"].to_string().contains("body")).count();
    assert_eq!((latest.len(), body), (3, 2), "{told:#}");
    let copies: Vec<Value> = sandbox.requests().into_iter().filter(|it| it["copy"] == true).collect();
    let statuses = |it: &Value| (it["grpc_status"].as_u64(), it["protocol"] == "grpc", it["version"] == "v2");
    let mut statuses: Vec<_> = copies.iter().map(statuses).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [0, 0, 7, 15].map(|status| (Some(status), true, true)));
}

//! Probes of grpc-go's own health service.

use super::built;
use crate::support::sandbox::{Account, Sandbox, signal, until};

/// `users` is asked for one of its services, `all` for the server as a whole, and `other` for what nobody knows there.
/// Each program listens on the same port, as its pod is its own.
const MANIFEST: &str = r#"
name: health
services:
  users:
    command: [./bin/health]
    ports: { grpc: 50051 }
    restart: { policy: on-failure, backoff: { base: 100ms, jitter: none } }
    startup: { grpc: {}, period: 1s }
    readiness: { grpc: shop.Users, period: 100ms, failure_threshold: 1 }
    liveness: { grpc: { port: 50051 }, period: 100ms, failure_threshold: 2 }
  other:
    command: [./bin/health]
    ports: { grpc: 50051 }
    readiness: { grpc: shop.Nobody }
  none:
    command: [python3, -m, http.server, '50051']
    ports: { grpc: 50051 }
    startup: { grpc: {}, period: 1s, failure_threshold: 2 }
"#;

#[test]
fn a_grpc_health_service_tells_of_startup_readiness_and_liveness() {
    for account in Account::all() {
        let sandbox = Sandbox::of(account, MANIFEST);
        sandbox.share(&built("bin/health"), "bin/health");
        sandbox.nagaya(&["up", "-d"]).good();
        let state = |service: &str| sandbox.row(service)["state"].clone();
        let reason = |service: &str| sandbox.row(service)["reason"].to_string();
        until("it serves", || state("users") == "ready");
        let first = sandbox.pid("users");
        signal("USR1", first);
        until("it says that it does not serve", || state("users") == "unhealthy");
        assert!(reason("users").contains("the health service says NOT_SERVING"), "{}", reason("users"));
        signal("USR1", first);
        until("it serves again", || state("users") == "ready");
        // It lives while it only says that it does not serve; once nobody answers, it is started again.
        assert_eq!((sandbox.pid("users"), sandbox.row("users")["restarts"].as_u64()), (first, Some(0)));
        signal("USR2", first);
        until("it is there again", || sandbox.row("users")["restarts"] == 1 && state("users") == "ready");
        assert_ne!(sandbox.pid("users"), first);
        until("the other is told of", || reason("other").contains("NOT_FOUND"));
        until("what is no gRPC server has not started", || state("none") == "failed");
        assert!(reason("none").contains("its startup probe failed"), "{}", reason("none"));
    }
}
